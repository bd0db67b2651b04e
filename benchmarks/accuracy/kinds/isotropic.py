"""Isotropic voxels, as of FIB-SEM: neurites that are thin for their voxels, faint membranes."""

from benchmarks.accuracy.settings import SETTINGS, base
from config.datasets import AUGMENTATIONS, IDS
from config.networks import NETWORKS
from lsd.spec import Dataset, Fragments, Sweep, Synthetic, Volume


def volume(seed: int, size: int, name: str, region: str = "") -> Volume:
    """A cube of so many voxels a side."""
    made = Synthetic(seed=seed, shape=(size,) * 3, voxel_size=(12, 12, 12), membranes=0.7)
    return Volume(synthetic=made, labels=IDS, name=name, region=region)


config = base(
    dataset=Dataset(
        train=volume(11, 192, "training"),
        validate=volume(12, 256, "crop", "64:192, 64:192, 64:192"),
        augment=AUGMENTATIONS["light"],
    ),
    network=NETWORKS["small"],
    fragments=Fragments(boundaries="affinity", min_seed_distance=6),
)
sweep = Sweep(
    name="accuracy_isotropic",
    settings={name: change(config) for name, change in SETTINGS.items()},
    seeds=(1,),
    minutes=10,
    scored=Dataset(validate=volume(12, 256, "validation"), test=volume(13, 256, "testing")),
    further="benchmarks.accuracy.scores:along_skeletons",
)
