"""A run whose training and prediction nobody computed, segmented and evaluated, to be reported.

Four neurons in a cross; the affinities of one border are missing, so two of them are merged, and
one neuron is cut, so that it is split.
"""

import numpy as np
from funlib.geometry import Roi

from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.run import evaluate
from lsd.report.neurons import write_neurons
from lsd.report.page.write import write_report
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, run_folder
from lsd.training.tensorboard import TensorBoard
from lsd.volumes.create import create_array
from lsd.volumes.skeletons import write_skeletons

ROI = Roi((2, 0, 4), (12, 30, 36))
VOXEL_SIZE = (30.0, 6.0, 6.0)
VOLUMES = ("v_validate", "v_test")
# ids that no double holds
FIRST = 2**60


def truth():
    labels = np.full(ROI.shape, FIRST + 1, np.uint64)
    labels[:, 15:] += 1
    labels[:, :, 18:] += 2
    labels[:, 14:16] = labels[:, :, 17:19] = 0
    return labels


def lines():
    """A skeleton for each neuron, along x in the middle of the volume."""
    xs = np.arange(ROI.begin[2], ROI.end[2])
    ids, owner, positions, edges = [], [], [], []
    for row, y in enumerate((7, 26)):
        for half, own in enumerate(np.split(xs, 2)):
            first = len(ids)
            ids += range(first, first + len(own))
            owner += [FIRST + 1 + row + 2 * half] * len(own)
            positions += [(np.array([8, y, x]) + 0.5) * VOXEL_SIZE for x in own]
            edges += [(n, n + 1) for n in range(first, first + len(own) - 1)]
    return Skeletons(ids, np.array(owner, np.uint64), np.array(positions), edges)


def membranes():
    """1 inside: the left border between both upper neurons is not seen, the lower left one is
    cut."""
    inside = (truth() > 0).astype(float)
    inside[:, :14, 17:19] = 1
    inside[:, 22:24, :17] = 0
    return inside


def make_config(folder, *, name="run", seed=0, noise=0.02):
    """A config, its volume and its predictions, in `folder`."""
    labels, rng = truth(), np.random.default_rng(seed)
    raw = np.clip(200 * membranes() + 20 + rng.normal(0, 9, ROI.shape), 0, 255).astype(np.uint8)
    for what, data in (("raw", raw), ("labels", labels)):
        if not (folder / "v.zarr" / what).exists():
            create_array(
                folder / "v.zarr", what, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype
            ).write(data, ROI)
    volume = Volume(path="v.zarr", raw="raw", labels="labels")
    write_skeletons(lines(), folder / "lines.npz")
    heads = {"lsds": Head(target=Descriptors(sigma=30)), "affs": Head(target=Affinities())}
    config = Config(
        name=name,
        dataset=Dataset(
            train=(volume,),
            validate=(volume.derive(skeletons="lines.npz"),),
            test=(volume.derive(region=":, :20, :"),),
        ),
        variant=Variant(stages=(Stage(heads=heads),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        train={"seed": seed},
        segment=Segment(
            fragments=Fragments(in_xy=True, min_seed_distance=4), thresholds=(0.2, 0.5, 0.9)
        ),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    inside = np.clip(membranes() - noise * rng.random(ROI.shape), 0, 1)
    for volume_name in VOLUMES:
        _write(config, volume_name, "affs", np.stack([inside] * 3))
        _write(config, volume_name, "lsds", rng.random((10, *ROI.shape)))
    _write_curves(config, seed)
    return config


def make(folder, **settings):
    """The same, segmented and evaluated, with its page."""
    config = make_config(folder, **settings)
    segment(config, progress=lambda _: None)
    evaluation = evaluate(config, progress=lambda _: None)
    write_neurons(config, evaluation)
    return config, evaluation, write_report(config)


def _write(config, volume, head, values):
    create_array(
        prediction(config, volume),
        head,
        roi=ROI,
        voxel_size=VOXEL_SIZE,
        dtype=np.uint8,
        channels=len(values),
    ).write((255 * values).astype(np.uint8), ROI)


def _write_curves(config, seed):
    with TensorBoard(run_folder(config) / "main", iterations_done=0) as board:
        for step in range(1, 51):
            curves = {"loss/total": 2.0 / (step + seed), "loss/affs": 1.0 / step}
            curves["loss/lsds"] = curves["learning_rate"] = 0.5 / step
            board.curves(curves, iteration=step)
        for step in (25, 50):
            board.curves({"validation/score": 3.0 / step}, iteration=step)
