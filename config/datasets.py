"""DATASETS: where volumes lie and what part of them trains, validates and tests.

Paths are absolute or below the data root (data_root of the config, else $LSD_DATA, else ./data).  A path may be a
pattern ("training/*.zarr"): each match is a volume.
"""

from math import pi

from lsd.spec import Augmentation, Dataset, Defects, Elastic, GrowBoundary, Intensity, Noise, Simple, Synthetic, Volume

AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "isotropic": (
        Elastic(spacing=(40, 40, 40), isotropic=True),
        Simple(),
        Elastic(spacing=(40, 40, 40), jitter=(2, 2, 2), rotation=(0, 0), slip=0.01, shift=0.01, misalign=1),
        Intensity(),
        GrowBoundary(),
    ),
    "anisotropic": (
        Elastic(spacing=(4, 4, 10), jitter=(0, 2, 2), rotation=(0, pi / 2), slip=0.05, shift=0.05, misalign=10),
        Simple(mirror="zyx", transpose="yx"),
        Intensity(per_section=True),
        Defects(),
        GrowBoundary(in_xy=True),
    ),
    "light": (Simple(), Intensity(), Noise(), GrowBoundary()),
}

FIB25 = Volume(path="fib25.zarr", labels="volumes/labels/neuron_ids", unknown=0)
SNEMI3D = Volume(path="snemi3d.hdf", labels="volumes/labels/neuron_ids")
CREMI = Volume(path="cremi", labels="volumes/labels/neuron_ids")
PUBLISHED = Volume(path="", labels="volumes/labels/neuron_ids", labels_mask="volumes/labels/labels_mask")

DATASETS = {
    "synthetic": Dataset(
        train=(Volume(synthetic=Synthetic(seed=1), labels="volumes/labels/neuron_ids"),),
        validate=(Volume(synthetic=Synthetic(seed=2, shape=(64, 96, 96)), labels="volumes/labels/neuron_ids"),),
        test=(Volume(synthetic=Synthetic(seed=3, shape=(64, 128, 128)), labels="volumes/labels/neuron_ids"),),
        augment=AUGMENTATIONS["light"],
    ),
    "fib25": Dataset(
        train=(FIB25.model_copy(update={"region": ((0, 170),)}),),
        validate=(FIB25.model_copy(update={"region": ((170, 200),)}),),
        test=(FIB25.model_copy(update={"region": ((200, 250),)}),),
        augment=AUGMENTATIONS["isotropic"],
    ),
    "snemi3d": Dataset(
        train=(SNEMI3D.model_copy(update={"region": ((0, 50),)}),),
        validate=(SNEMI3D.model_copy(update={"region": ((50, 60),)}),),
        test=(SNEMI3D.model_copy(update={"region": ((60, 70),)}),),
        augment=AUGMENTATIONS["anisotropic"],
    ),
}
