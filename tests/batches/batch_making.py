"""Small volumes, configs of one stage, and the batches that are made of them."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd import spec
from lsd.batches.pipeline import Batches
from lsd.spec import Config, Dataset, Head, Loss, Network, Stage, Train, Variant, Volume
from lsd.volumes.create import create_array

SIZE = (8.0, 8.0, 8.0)
IDS = 2**53 + np.arange(1, 400, dtype=np.uint64)
AFFS = Head(
    target=spec.Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))),
    loss=Loss(balance=True),
)
LSDS = Head(target=spec.Descriptors(sigma=24.0))
FULL = (
    spec.Elastic(spacing=(8, 8, 8), isotropic=True),
    spec.Simple(),
    spec.Elastic(
        spacing=(8, 8, 8), jitter=(1, 1, 1), rotation=(0, 0), slip=0.1, shift=0.1, misalign=2
    ),
    spec.Contrast(widths=(3, 5)),
    spec.Intensity(),
    spec.Noise(),
    spec.Defects(),
    spec.GrowBoundary(),
)


def make_volume(
    path: Path,
    *,
    shape=(40, 44, 48),
    seed=0,
    zeros=False,
    mask=None,
    voxel_size=SIZE,
    offset=(100, -20, 7),
):
    rng = np.random.default_rng(seed)
    coarse = rng.choice(IDS, [-(-n // 6) for n in shape])
    labels = np.kron(coarse, np.ones((6, 6, 6), np.uint64))[tuple(slice(n) for n in shape)]
    roi = Roi(offset, shape)
    raw = ((labels * np.uint64(37)) % np.uint64(251)).astype(np.uint8)
    arrays = {
        "raw": raw,
        "labels": labels * np.uint64(not zeros),
        "mito": (raw > 200).astype(np.uint8),
    }
    if mask is not None:
        arrays["mask"] = mask.astype(np.uint8)
    for name, data in arrays.items():
        create_array(path, name, roi=roi, voxel_size=voxel_size, dtype=data.dtype).write(data, roi)
    return arrays


def volume(path="one.zarr", **options):
    return Volume(**{"path": path, "raw": "raw", "labels": "labels", **options})


def config(root, *, volumes=None, augment=(), heads=None, dims=3, **train):
    heads = {"affs": AFFS, "lsds": LSDS} if heads is None else heads
    kernel = (3,) * dims
    trunk = spec.ResidualUNet(widths=(2,), factors=(), kernel=kernel)
    return Config(
        name="test",
        dataset=Dataset(train=(volume(),) if volumes is None else volumes, augment=augment),
        variant=Variant(stages=(Stage(heads=heads),)),
        network=Network(trunk=trunk, train_shape=(8,) * dims),
        train=Train(**{"workers": 0, **train}),
        data_root=str(root),
    )


def batches(made, count=3, *, raw=(20, 20, 20), output=(12, 12, 12), start=0):
    with Batches(made, "main", raw, output, start=start) as iterator:
        return [next(iterator) for _ in range(count)]


def assert_same(one, other):
    np.testing.assert_equal(dataclasses.asdict(one), dataclasses.asdict(other))


def place(arrays, labels, margin):
    """Where in the volume this crop of labels is from."""
    inside = arrays["labels"]
    found = [
        corner
        for corner in np.argwhere(inside == labels[0, 0, 0])
        if (
            inside[tuple(slice(c, c + n) for c, n in zip(corner, labels.shape, strict=True))].shape
            == labels.shape
        )
        and (
            inside[tuple(slice(c, c + n) for c, n in zip(corner, labels.shape, strict=True))]
            == labels
        ).all()
    ]
    assert len(found) == 1
    return tuple(
        slice(c - margin, c + n + margin) for c, n in zip(found[0], labels.shape, strict=True)
    )


def write_arrays(path, *, offset=(100, -20, 7), chunks=None, fill=None, **arrays):
    for name, data in arrays.items():
        roi = Roi(offset, data.shape)
        array = create_array(
            path, name, roi=roi, voxel_size=(8, 8, 8), dtype=data.dtype, chunks=chunks, fill=fill
        )
        if fill is None:
            array.write(data, roi)
            continue
        for corner in itertools.product(
            *(range(0, n, m) for n, m in zip(data.shape, chunks, strict=True))
        ):
            part = data[tuple(slice(c, c + m) for c, m in zip(corner, chunks, strict=True))]
            if part.any():  # as writers do that leave empty chunks out
                array.write(part, Roi(offset, part.shape) + Coordinate(corner))
