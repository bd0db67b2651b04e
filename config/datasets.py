"""DATASETS: where volumes lie and what part of them trains, validates and tests.

Paths are absolute or below the data root (data_root of the config, else $LSD_DATA, else ./data).  A
path may be a pattern ("training/*.zarr"): each match is a volume.
"""

from math import pi

from lsd.spec import (
    Augmentation,
    Contrast,
    Dataset,
    Defects,
    Elastic,
    GrowBoundary,
    Intensity,
    Noise,
    Sharpen,
    Simple,
    Synthetic,
    Volume,
)

AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "isotropic": (
        Elastic(spacing=(40, 40, 40), isotropic=True),
        Simple(),
        Elastic(
            spacing=(40, 40, 40),
            jitter=(2, 2, 2),
            rotation=(0, 0),
            slip=0.01,
            shift=0.01,
            misalign=1,
        ),
        Intensity(),
        GrowBoundary(),
    ),
    "anisotropic": (
        Elastic(
            spacing=(4, 4, 10),
            jitter=(0, 2, 2),
            rotation=(0, pi / 2),
            slip=0.05,
            shift=0.05,
            misalign=10,
        ),
        Simple(mirror="yx", transpose="yx"),
        Intensity(per_section=True),
        Defects(),
        GrowBoundary(in_xy=True),
    ),
    "light": (Simple(), Intensity(), Noise(), GrowBoundary()),
    "light_sections": (
        Simple(mirror="zyx", transpose="yx"),
        Intensity(per_section=True),
        Noise(),
        GrowBoundary(in_xy=True),
    ),
    # where the volumes to predict may have membranes of another contrast than those trained on
    "robust": (Simple(), Contrast(), Intensity(), Noise(), GrowBoundary()),
    "robust_sections": (
        Simple(mirror="zyx", transpose="yx"),
        Contrast(in_xy=True),
        Intensity(per_section=True),
        Noise(),
        GrowBoundary(in_xy=True),
    ),
}

IDS = "volumes/labels/neuron_ids"
FIB25 = Volume(path="fib25.zarr", labels=IDS, unknown=0)
SNEMI3D = Volume(path="snemi3d.hdf", labels=IDS)


def part(volume: Volume, region: str) -> tuple[Volume, ...]:
    """The volume, confined to a region."""
    return (volume.derive(region=region),)


def sharpened(volumes: tuple[Volume, ...], amount: float) -> tuple[Volume, ...]:
    """The volumes with membranes made darker as they are read, for a network that trained on darker
    ones."""
    return tuple(volume.derive(sharpen=Sharpen(amount=amount)) for volume in volumes)


def traced(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """The made-up volumes with the center lines of their neurons, which their generator knows."""
    return tuple(volume.derive(skeletons="generated") for volume in volumes)


def synthetic(seed: int, *shape: int) -> tuple[Volume, ...]:
    """A made-up volume with its truth, 10 nm."""
    return (Volume(synthetic=Synthetic(seed=seed, shape=shape), labels=IDS),)


def synthetic_sections(seed: int, *shape: int) -> tuple[Volume, ...]:
    """Made-up serial sections with their truth, 40x8x8 nm."""
    made = Synthetic(kind="anisotropic", seed=seed, shape=shape, voxel_size=(40, 8, 8))
    return (Volume(synthetic=made, labels=IDS),)


def cremi(region: str) -> tuple[Volume, ...]:
    """Sections of the three CREMI samples (the unpadded files), 40x4x4 nm."""
    return tuple(
        Volume(
            path=f"cremi/sample_{name}_20160501.hdf",
            labels=IDS,
            region=region,
            name=f"{name}_{region.replace(':', '-')}",
        )
        for name in "ABC"
    )


def published(folder: str) -> tuple[Volume, ...]:
    """Every zarr in a folder, laid out as Sheridan et al. published their training volumes: raw
    reaches beyond labels."""
    return (
        Volume(
            path=f"{folder}/*.zarr",
            labels=IDS,
            labels_mask="volumes/labels/labels_mask",
            fit="intersect",
        ),
    )


DATASETS = {
    "synthetic": Dataset(
        train=synthetic(1, 128, 128, 128),
        validate=traced(synthetic(2, 64, 96, 96)),
        test=traced(synthetic(3, 64, 128, 128)),
        augment=AUGMENTATIONS["light"],
    ),
    "synthetic_sections": Dataset(
        train=synthetic_sections(1, 40, 224, 224),
        validate=traced(synthetic_sections(2, 16, 192, 192)),
        test=traced(synthetic_sections(3, 20, 224, 224)),
        augment=AUGMENTATIONS["light_sections"],
    ),
    # FIB-SEM, fly medulla, 10 nm: one volume of 250^3
    "fib25": Dataset(
        train=part(FIB25, "0:170"),
        validate=part(FIB25, "170:200"),
        test=part(FIB25, "200:250"),
        augment=AUGMENTATIONS["isotropic"],
    ),
    # serial sections, mouse cortex, 30x6x6 nm: one volume of 70x1024x1024
    "snemi3d": Dataset(
        train=part(SNEMI3D, "0:50"),
        validate=part(SNEMI3D, "50:60"),
        test=part(SNEMI3D, "60:70"),
        augment=AUGMENTATIONS["anisotropic"],
    ),
    # serial sections, fly, 40x4x4 nm
    "cremi": Dataset(
        train=cremi("0:80"),
        validate=cremi("80:100"),
        test=cremi("100:125"),
        augment=AUGMENTATIONS["anisotropic"],
    ),
    # FIB-SEM, hemibrain, 8 nm
    "hemi": Dataset(
        train=published("hemi/training"),
        validate=published("hemi/validation"),
        test=published("hemi/testing"),
        augment=AUGMENTATIONS["isotropic"],
    ),
    # serial block face, zebra finch, 20x9x9 nm; the paper's descriptors have sigma=120 here
    "zebrafinch": Dataset(
        train=published("zebrafinch/training"),
        validate=published("zebrafinch/validation"),
        test=published("zebrafinch/testing"),
        augment=AUGMENTATIONS["anisotropic"],
    ),
}
