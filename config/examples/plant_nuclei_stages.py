"""Nuclei of plant ovules in two stages: a network at half of the resolution locates them, another
one outlines each where it was located.

`config` outlines and is this file's; `coarse` locates and is that of plant_nuclei_coarse.py.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.examples.plant_nuclei import config as one_stage
from config.networks import NETWORKS  # noqa: F401
from config.variants import one
from lsd.spec import (
    AroundObjects,
    Bce,
    Components,
    Config,
    Dataset,
    Foreground,
    Head,
    Interior,
    InteriorBoundary,
    Locate,
    Network,
    Objects,
    ResidualUNet,
    Seeds,
    Segment,
    Volume,
)

# voxels of the volume, of 284x127x127 nm, that are one to the network that locates
SCALE = (2, 2, 2)
# nuclei of fewer voxels are crumbs at the border of the volume
SMALLEST = 100


def coarsely(volume: Volume) -> Volume:
    """The volume, read at half of its resolution."""
    return volume.derive(scale=SCALE)


NUCLEI = one_stage.dataset

coarse = one_stage.derive(
    name="plant_nuclei_coarse",
    dataset=Dataset(
        train=tuple(coarsely(volume) for volume in NUCLEI.train),
        validate=tuple(coarsely(volume) for volume in NUCLEI.validate),
        augment=NUCLEI.augment,
    ),
    variant=one(foreground=Head(target=Foreground(), loss=Bce(balance=True))),
    network=Network(
        trunk=ResidualUNet(
            widths=(16, 32, 64),
            factors=((1, 2, 2), (2, 2, 2)),
            features_out=16,
            context=(6, 12, 12),
        ),
        train_shape=(16, 48, 48),
    ),
    train={"iterations": 600},
    # nuclei that touch hang together by a neck that is narrower than they are
    segment=Segment(
        decoder=Components(),
        objects=Objects(min_size=SMALLEST // 8, split=400),
        thresholds=tuple(n / 20 for n in range(4, 20)),
    ),
    locate=Locate(min_size=SMALLEST // 8),
)

config: Config = one_stage.derive(
    name="plant_nuclei_stages",
    variant=one(
        outline=Head(target=InteriorBoundary(width=300, unit="nm"), loss=Bce(balance=True))
    ),
    network=one_stage.network.derive(train_shape=(32, 64, 64)),
    train={"iterations": 1000, "sampling": AroundObjects(min_size=SMALLEST)},
    # interiors hang together; the boundary, as wide, grows back
    segment=Segment(decoder=Interior(head="outline", threshold=0.8, reach=3, fill_holes=True)),
    seeds=Seeds(
        locator="runs/plant_nuclei_coarse",
        window=(32, 64, 64),
        room=(4, 8, 8),
        min_size=SMALLEST,
    ),
    evaluate={"of": "objects"},
)
