"""Serial sections with their shifts, cracks and bad contrast; as many voxels as of the isotropic
volumes."""

from benchmarks.accuracy.settings import SETTINGS, base
from config.datasets import AUGMENTATIONS, IDS
from config.networks import NETWORKS
from lsd.spec import Dataset, Fragments, Sweep, Synthetic, Volume


def volume(seed: int, shape: tuple[int, int, int], name: str, region: str = "") -> Volume:
    """Sections of 40 nm."""
    made = Synthetic(
        kind="anisotropic", seed=seed, shape=shape, voxel_size=(40, 8, 8), membranes=0.8
    )
    return Volume(synthetic=made, labels=IDS, name=name, region=region)


LARGE = (64, 512, 512)
config = base(
    dataset=Dataset(
        train=volume(21, (48, 384, 384), "training"),
        validate=volume(22, LARGE, "crop", "16:48, 128:384, 128:384"),
        augment=AUGMENTATIONS["light_sections"],
    ),
    network=NETWORKS["small_aniso"],
    fragments=Fragments(boundaries="affinity", in_xy=True, min_seed_distance=10),
).derive(segment={"block": LARGE})
sweep = Sweep(
    name="accuracy_sections",
    settings={name: change(config) for name, change in SETTINGS.items()},
    seeds=(1,),
    minutes=10,
    scored=Dataset(validate=volume(22, LARGE, "validation"), test=volume(23, LARGE, "testing")),
    further="benchmarks.accuracy.scores:along_skeletons",
)
