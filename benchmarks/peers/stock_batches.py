"""Batches of a stock gunpowder + lsds pipeline; run by benchmarks.batches in an environment that
has both.

python stock_batches.py <zarr> <voxel size, nm> <batches>: prints [wall, CPU] seconds of each batch
as JSON.
"""

import json
import math
import os
import sys
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLOSC_NTHREADS"):
    os.environ[variable] = "1"
warnings.simplefilter("ignore")

import gunpowder as gp  # noqa: E402
from lsd.train.gp import AddLocalShapeDescriptor  # noqa: E402  (of lsds)

INPUT, OUTPUT, SIGMA, ELASTIC = 196, 92, 80, 150
NAMES = ("raw", "labels", "mask", "lsds", "lsds_weights", "affs", "affs_mask", "affs_weights")
# each is an OME-Zarr image, whose voxels are in its array "0"
ON_DISK = ("volumes/raw/0", "volumes/labels/neuron_ids/0", "volumes/labels/labels_mask/0")


def pipeline(container: str, voxel: int) -> tuple[gp.Pipeline, gp.BatchRequest]:
    """The paper's isotropic set-up: raw 196^3, output 92^3, descriptors downsampled by 2."""
    keys = raw, labels, mask, lsds, lsds_weights, affs, affs_mask, affs_weights = [
        gp.ArrayKey(name.upper()) for name in NAMES
    ]
    stored = dict(zip(keys, ON_DISK, strict=False))
    specs = {
        key: gp.ArraySpec(voxel_size=(voxel,) * 3, interpolatable=key == raw) for key in stored
    }
    nodes = (
        gp.ZarrSource(container, stored, specs)
        + gp.Normalize(raw)
        + gp.Pad(raw, None)
        + gp.Pad(labels, gp.Coordinate((voxel * ELASTIC,) * 3))
        + gp.Pad(mask, gp.Coordinate((voxel * ELASTIC,) * 3))
        + gp.RandomLocation(min_masked=0.5, mask=mask)
        + gp.ElasticAugment([40] * 3, [0] * 3, [0, math.pi / 2], subsample=8)
        + gp.SimpleAugment()
        + gp.ElasticAugment(
            [40] * 3, [2] * 3, [0, 0], prob_slip=0.01, prob_shift=0.01, max_misalign=1, subsample=8
        )
        + gp.IntensityAugment(raw, 0.9, 1.1, -0.1, 0.1)
        + gp.GrowBoundary(labels, mask=mask, steps=1)
        + AddLocalShapeDescriptor(
            labels, lsds, lsds_mask=lsds_weights, labels_mask=mask, sigma=SIGMA, downsample=2
        )
        + gp.AddAffinities(
            [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
            labels,
            affs,
            labels_mask=mask,
            affinities_mask=affs_mask,
        )
        + gp.BalanceLabels(affs, affs_weights, affs_mask)
        + gp.IntensityScaleShift(raw, 2, -1)
        + gp.Stack(1)
    )
    request = gp.BatchRequest()
    for key in keys:
        request.add(key, gp.Coordinate((voxel,) * 3) * (INPUT if key == raw else OUTPUT))
    return nodes, request


def main() -> None:
    container, voxel, count = sys.argv[1:]
    nodes, request = pipeline(container, int(voxel))
    seconds = []
    with gp.build(nodes):
        nodes.request_batch(request)
        for _ in range(int(count)):
            begin = time.perf_counter(), time.process_time()
            nodes.request_batch(request)
            seconds.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
