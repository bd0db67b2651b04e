"""A run small enough for tests: a volume of Voronoi cells from a numpy Generator, networks of a few
hundred weights."""

from pathlib import Path

import numpy as np
from funlib.geometry import Roi

from lsd.spec import (
    Affinities,
    Ball,
    Bce,
    Config,
    CrossEntropy,
    Dataset,
    Descriptors,
    Dice,
    Discriminative,
    Embeddings,
    Foreground,
    Fragments,
    GrowBoundary,
    Head,
    Intensity,
    InteriorBoundary,
    Loss,
    Malis,
    Mse,
    Network,
    Occupancy,
    Predict,
    Segment,
    Semantic,
    SignedDistance,
    Simple,
    Stage,
    Supervoxel,
    Train,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.paths import run_folder
from lsd.training.loop import train
from lsd.volumes.create import create_array

SHAPE = (40, 40, 40)
VOXEL_SIZE = (10.0, 10.0, 10.0)
LSDS = Head(target=Descriptors(sigma=20, downsample=2))
NEAR = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
FAR = (*NEAR, (-2, 0, 0), (0, -3, 0), (0, 0, -3))
AFFS = Head(target=Affinities(), loss=Loss(balance=True))
EMBEDDINGS = Head(target=Embeddings(neighborhood=FAR, dimensions=6), loss=Discriminative())
# what a voxel says of itself counts most
AROUND = Head(
    target=Occupancy(mode="foreground", kernel=((0, 0, 0), (0, -1, 0), (0, 0, 2), (-1, -2, 1))),
    loss=Bce(balance=True, channel_weights=(9, 1, 1, 1)),
)
INSTANCES = Head(
    target=Occupancy(kernel=Ball(radius=21, voxel_size=VOXEL_SIZE), half=True), loss=Dice()
)
OBJECTS = {
    "interior": Head(target=InteriorBoundary(width=1.5), loss=Bce()),
    "distance": Head(target=SignedDistance(reach=40)),
    # a class for each of the cells
    "cells": Head(target=Semantic(classes=tuple(range(1, 21))), loss=CrossEntropy(balance=True)),
}
LONG = Head(target=Affinities(neighborhood=FAR), loss=Loss(kind="bce"))


def _one(**heads):
    return Variant(stages=(Stage(heads=heads),))


def _auto_context(*reads):
    return Variant(
        stages=(
            Stage(name="lsds", heads={"lsds": LSDS}),
            Stage(name="affs", reads=reads, heads={"affs": AFFS}),
        )
    )


VARIANTS = {
    "aff": _one(affs=AFFS),
    "lr": _one(affs=LONG),
    "lsd": _one(lsds=LSDS),
    "mtlsd": _one(lsds=LSDS, affs=AFFS),
    "aclsd": _auto_context("lsds"),
    "acrlsd": _auto_context("raw", "lsds"),
    "embeddings": _one(affs=EMBEDDINGS),
    "malis": _one(affs=AFFS.derive(loss=Malis(dense=Mse(balance=True)))),
    "supervoxel": _one(
        affs=AFFS.derive(loss=Supervoxel(mode="additive", balance=True)),
        foreground=Head(target=Foreground(), loss=Supervoxel(criterion="individual")),
    ),
    "lov_foreground": _one(lov=AROUND),
    "lov_instance": _one(lov=INSTANCES),
    "objects": _one(**OBJECTS),
} | {
    f"mtlsd_{kind}": Variant(stages=(Stage(heads={"lsds": LSDS, "affs": AFFS}, weighting=kind),))
    for kind in ("uncertainty", "pcgrad", "project_auxiliary", "cosine_gate")
}
NETWORKS = {
    "3d": Network(
        trunk=UNet(features=4, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),)),
        train_shape=(18, 18, 18),
        predict_shape=(22, 22, 22),
    ),
    "2d": Network(
        trunk=UNet(features=6, multiplier=2, factors=((2, 2),), kernels=((3, 3),)),
        train_shape=(22, 22),
        predict_shape=(26, 26),
    ),
}


def write_volume(path: Path) -> None:
    """Twenty Voronoi cells; raw is dark and noisy where they touch."""
    rng = np.random.default_rng(0)
    seeds = rng.uniform(0, SHAPE, (20, 3))
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    distances = np.sort(np.linalg.norm(voxels[..., None, :] - seeds, axis=-1), axis=-1)
    labels = np.argmin(np.linalg.norm(voxels[..., None, :] - seeds, axis=-1), axis=-1) + 1
    near = np.clip((distances[..., 1] - distances[..., 0]) / 4, 0, 1)
    raw = np.clip(60 + 140 * near + rng.normal(0, 12, SHAPE), 0, 255)
    for name, data in {"raw": raw.astype(np.uint8), "labels": labels.astype(np.uint64)}.items():
        roi = Roi((0, 0, 0), SHAPE)
        create_array(path, name, roi=roi, voxel_size=VOXEL_SIZE, dtype=data.dtype).write(data, roi)


def config(
    folder: Path, variant: str = "aff", *, dims: str = "3d", name: str = "tiny", **train
) -> Config:
    """A run in `folder`, whose volume is written if it is not there."""
    path = folder / "tiny.zarr"
    if not path.exists():
        write_volume(path)
    volume = Volume(path=str(path), raw="raw", labels="labels")
    settings = {
        "iterations": 5,
        "learning_rate": 1e-2,
        "workers": 0,
        "threads": 1,
        "device": "cpu",
        "log_every": 1,
    }
    return Config(
        name=name,
        dataset=Dataset(
            train=(volume.derive(region=((0, 28),)),),
            validate=(volume.derive(region=((28, 40), (0, 24), (0, 24))),),
            augment=(Simple(), Intensity(), GrowBoundary()),
        ),
        variant=VARIANTS[variant],
        network=NETWORKS[dims],
        train=Train(**(settings | {"snapshot_every": 0} | train)),
        predict=Predict(device="cpu", threads=1),
        segment=Segment(fragments=Fragments(min_seed_distance=4), thresholds=(0.2, 0.5, 0.8)),
        runs=str(folder / "runs"),
    )


def curve(config: Config, stage: str, tag: str = "loss/total") -> list[float]:
    """Values of a curve in tensorboard, by iteration; of an iteration that was done twice the
    later."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values = {}
    for file in sorted((run_folder(config) / stage).glob("events*"), key=_age):
        events = EventAccumulator(str(file))
        events.Reload()
        values |= (
            {event.step: event.value for event in events.Scalars(tag)}
            if tag in events.Tags()["scalars"]
            else {}
        )
    return [values[step] for step in sorted(values)]


def _age(file: Path) -> tuple[int, int]:
    """Second, and number of the writer in its process: tensorboard, which goes by name, reads the
    tenth before the ninth."""
    _, _, _, second, *_, number = file.name.split(".")
    return int(second), int(number)


def golden_losses(folder: Path, variant: str, dims: str) -> tuple[dict[str, list[float]], Path]:
    """Five losses of each stage, fp32, one thread, from the real pipeline; and the last
    checkpoint."""
    run = config(
        folder,
        variant,
        dims=dims,
        name=f"{variant}_{dims}",
        iterations=5,
        learning_rate=0.03,
        seed=7,
    )
    checkpoint = train(run, progress=False)
    return {stage.name: curve(run, stage.name) for stage in run.variant.stages}, checkpoint
