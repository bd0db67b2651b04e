"""Edit me, then: lsd train.  lsd train --help lists everything that can be
set, with its meaning."""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401  (names for the command line: dataset.augment=light)
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.spec import Config, Fragments, Segment, Train

config = Config(
    name="synthetic_mtlsd",
    dataset=DATASETS["synthetic"],
    variant=VARIANTS["mtlsd"],
    network=NETWORKS["small"],
    train=Train(
        iterations=1000,
        batch_size=2,
        learning_rate=1e-3,
        precision="auto",
        channels_last=True,
        validate_every=250,
    ),
    segment=Segment(fragments=Fragments(boundaries="affinity")),
)
