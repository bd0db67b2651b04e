"""Prediction of a volume with the paper's U-Net (12 maps, times 5 a level): ours against a plain loop over blocks.

plain: fp32, raw 196^3 -> 92^3 at a time, as every tutorial does it
ours:  `lsd.prediction` from disk to disk in bf16 where the processor has it, channels-last, larger blocks
bare:  the forward passes of our blocks alone: what reading, cropping, rounding and writing add to them is the overhead
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from funlib.geometry import Roi

from lsd.network import checkpoint, sizes
from lsd.network.cascade import Cascade
from lsd.prediction.run import predict
from lsd.spec import Affinities, Config, Dataset, Head, Network, Predict, Stage, UNet, Variant, Volume, paths
from lsd.volumes.create import create_array

AFF = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))
PAPER = UNet()


def run(
    *, trunk: UNet = PAPER, plain_shape: int = 196, shape: int = 268, blocks: Sequence[int] = (1, 2, 2), repeats: int = 3
) -> dict[str, Any]:
    """Output voxels per second of both, their ratio, and what ours takes over its bare passes.

    plain_shape, shape: raw voxels a side of a block; blocks: how many of ours the volume takes along each axis
    repeats: all three in turn, so that a machine whose speed changes is as fast for each; ratios are medians
    """
    with tempfile.TemporaryDirectory() as folder:
        config, cascade = _prepare(Path(folder), trunk, shape, blocks)
        rounds = [_round(config, cascade, plain_shape, shape, prod(blocks)) for _ in range(repeats)]
    plain, ours, bare = (median(seconds) for seconds in zip(*rounds, strict=True))
    kept = prod(sizes.output_shape(trunk, (plain_shape,) * 3))
    written = prod(blocks) * prod(sizes.write_shape(AFF, trunk, (shape,) * 3))
    return {
        "plain fp32, voxels/s": kept / plain,
        "ours, voxels/s": written / ours,
        "ratio": median((written / ours) / (kept / plain) for plain, ours, _ in rounds),
        "bare passes, s": bare,
        "ours over bare passes": median(ours / bare for _, ours, bare in rounds),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Prints what was measured; some ten minutes on two cores."""
    for name, value in run().items():
        print(f"{name:24} {value:10.4g}")


def _round(config: Config, cascade: Cascade, plain: int, shape: int, passes: int) -> tuple[float, float, float]:
    """Seconds of a plain pass, of our prediction, and of its bare passes."""
    # what a layout's first pass pays for memory and kernels is no part of any
    _plain(cascade.to(memory_format=torch.contiguous_format), min(sizes.smallest_raw(AFF, config.network.trunk)))
    seconds = [_seconds(lambda: _plain(cascade, plain))]
    shutil.rmtree(paths.run_folder(config) / "prediction", ignore_errors=True)
    seconds.append(_seconds(lambda: predict(config, progress=False)))
    seconds.append(_seconds(lambda: _bare(cascade, shape, passes)))
    return seconds[0], seconds[1], seconds[2]


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _plain(cascade: Cascade, size: int) -> None:
    with torch.no_grad():
        torch.sigmoid(cascade(torch.rand(1, 1, size, size, size))["affs"])


def _bare(cascade: Cascade, size: int, passes: int) -> None:
    fast = cascade.to(memory_format=torch.channels_last_3d)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(passes):
            fast(torch.rand(1, 1, size, size, size))


def _prepare(folder: Path, trunk: UNet, shape: int, blocks: Sequence[int]) -> tuple[Config, Cascade]:
    """A volume that takes exactly these blocks, a checkpoint of random weights, and the config that joins them."""
    extent = [n * w for n, w in zip(blocks, sizes.write_shape(AFF, trunk, (shape,) * 3), strict=True)]
    roi = Roi((0, 0, 0), extent)
    raw = create_array(folder / "raw.zarr", "volumes/raw", roi=roi, voxel_size=(8, 8, 8), dtype=np.uint8)
    raw.write(np.random.default_rng(0).integers(0, 256, extent).astype(np.uint8), roi)
    config = Config(
        name="bench",
        dataset=Dataset(test=(Volume(path="raw.zarr", name="raw"),)),
        variant=AFF,
        network=Network(trunk=trunk, train_shape=(shape,) * 3, predict_shape=(shape,) * 3),
        predict=Predict(volumes=("test",), checkpoint="latest", precision="auto", channels_last=True, device="cpu"),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    torch.manual_seed(0)
    cascade = Cascade(AFF, trunk)
    content = {
        "config": config.model_dump_json(),
        "stage": "main",
        "iteration": 0,
        "model": dict(cascade.state_dict()),
        "normalisation": {},
    }
    checkpoint.save(paths.checkpoints(config, "main") / checkpoint.file_name(0), content)
    return config, cascade.eval()


if __name__ == "__main__":
    main()
