"""A run whose network sees exactly where objects are, by weights that are written by hand, and a
volume of such objects with the table of them."""

import numpy as np
import torch
from funlib.geometry import Roi
from scipy import ndimage

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.objects.located import Located
from lsd.objects.tables import write_located
from lsd.spec import (
    Components,
    Config,
    Dataset,
    Foreground,
    Head,
    Network,
    Predict,
    Seeds,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
    paths,
)
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

SIZE, OFFSET = (12.0, 8.0, 8.0), (10, -3, 5)
TRUNK = UNet(features=1, multiplier=1, factors=((2, 2, 2),), kernels=((3, 3, 3),))
FLAT = UNet(features=1, multiplier=1, factors=((2, 2),), kernels=((3, 3),))
VARIANT = Variant(stages=(Stage(heads={"foreground": Head(target=Foreground())}),))


def balls(shape, *, count, radius, seed=0, gap=2):
    """Balls that do not touch, uint64, of radii up to `radius` voxels."""
    rng = np.random.default_rng(seed)
    labels, taken = np.zeros(shape, np.uint64), np.zeros(shape, bool)
    grid = np.indices(shape)
    label = 0
    for _ in range(50 * count):
        middle = np.array([rng.integers(0, n) for n in shape])
        size = rng.uniform(0.5, 1) * radius
        away = np.sqrt(((grid - middle.reshape(-1, *(1,) * len(shape))) ** 2).sum(axis=0))
        if label < count and not taken[away <= size].any():
            label += 1
            labels[away <= size] = label
            taken |= away <= size + gap
    assert label == count, label
    return labels


def table_of(labels, *, ids=None, jitter=0, seed=0) -> Located:
    """A row for each object; jitter: voxels by which points are moved within the object."""
    rng = np.random.default_rng(seed)
    rows = {name: [] for name in ("id", "point", "begin", "end", "voxels")}
    offset, size = np.array(OFFSET[-labels.ndim :]), np.array(SIZE[-labels.ndim :])
    for number, box in enumerate(ndimage.find_objects(labels.astype(int)), start=1):
        places = np.argwhere(labels == number)
        aim = places.mean(axis=0) + rng.uniform(-jitter, jitter, labels.ndim)
        voxel = places[((places - aim) ** 2).sum(axis=1).argmin()]
        rows["id"].append(number if ids is None else ids[number - 1])
        rows["point"].append((voxel + offset + 0.5) * size)
        rows["begin"].append(([side.start for side in box] + offset) * size)
        rows["end"].append(([side.stop for side in box] + offset) * size)
        rows["voxels"].append(len(places))
    rows["id"] = np.array(rows["id"], np.uint64)
    voxels = np.array(rows["voxels"])
    return Located(**rows, volume=voxels * size.prod() / 1e9, confidence=np.ones(len(voxels)))


def make_run(folder, labels, table, *, name="run", volume=None, trunk=TRUNK, **sections) -> Config:
    """Raw is 255 in objects and 0 outside."""
    roi, size = Roi(OFFSET[-labels.ndim :], labels.shape), SIZE[-labels.ndim :]
    for array, data in {"raw": (labels > 0).astype(np.uint8) * 255, "labels": labels}.items():
        create_array(folder / "em.zarr", array, roi=roi, voxel_size=size, dtype=data.dtype).write(
            data, roi
        )
    write_located(table, folder / "em.csv")
    fields = {"path": "em.zarr", "raw": "raw", "labels": "labels", "name": "em"}
    seeds = {"located": str(folder / "{volume}.csv"), "window": (14,) * 3, "block": (24,) * 3}
    seeds["margin"] = (12, 12, 12)
    config = Config(
        name=name,
        dataset=Dataset(test=(Volume(**fields, **(volume or {})),)),
        variant=VARIANT,
        network=Network(trunk=trunk, train_shape=(18,) * trunk.dims),
        predict=Predict(volumes=("test",), checkpoint="latest", device="cpu", threads=1),
        segment=Segment(decoder=Components(), thresholds=(0.5,)),
        seeds=Seeds(**seeds | sections.pop("seeds", {})),
        runs=str(folder / "runs"),
        data_root=str(folder),
        **sections,
    )
    save(config)
    return config


def save(config) -> None:
    """A checkpoint that gives 1 where raw is white, 0 where it is black."""
    cascade = Cascade(config.variant, config.network.trunk)
    state = {name: torch.zeros_like(value) for name, value in cascade.state_dict().items()}
    prefix = "stage_main."
    state[f"{prefix}trunk.down.0.0.convolution.weight"][0, 0, *(1,) * config.network.dims] = 1
    state[f"{prefix}trunk.up.0.0.convolution.weight"][0, :, *(1,) * config.network.dims] = 1
    state[f"{prefix}heads.head_foreground.weight"][:] = 40
    state[f"{prefix}heads.head_foreground.bias"][:] = -20
    content = {
        "config": config.model_dump_json(),
        "stage": "main",
        "iteration": 7,
        "model": state,
        "normalisation": {"to": [-1.0, 1.0]},
        "voxel_size": SIZE[-config.network.dims :],
    }
    checkpoint.save(paths.checkpoints(config, "main") / files.file_name(7), content)


def read(path, name="segmentation"):
    array = open_array(path, name)
    return array.read(array.roi)


def is_renaming(one, other) -> bool:
    """Whether two labellings are the same but for their names; 0 is 0."""
    pairs = np.unique(np.stack([one.reshape(-1), other.reshape(-1)]), axis=1)
    counts = [len(np.unique(names)) for names in pairs]
    return counts == [pairs.shape[1]] * 2 and bool(((pairs == 0).all(axis=0)).sum() <= 1)
