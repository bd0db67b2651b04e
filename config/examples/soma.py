"""Cell bodies of a made-up volume: a network at a quarter of the resolution locates them, another
one outlines each where it was located.  A few minutes of training each, on two cores.

`config` outlines and is this file's; `coarse` locates and is that of soma_coarse.py.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.networks import NETWORKS  # noqa: F401
from config.variants import one
from lsd.spec import (
    AroundObjects,
    Bce,
    Benchmark,
    Components,
    Config,
    Dataset,
    Evaluate,
    Foreground,
    Head,
    Interior,
    InteriorBoundary,
    Locate,
    Network,
    Objects,
    ResidualUNet,
    Schedule,
    Seeds,
    Segment,
    Somata,
    Train,
    Volume,
)

# voxels of the volume, of 40 nm, that are one to the network that locates
SCALE = (4, 4, 4)
# cells of fewer voxels, at the border of a volume, are crumbs
SMALLEST = 4000


def somata(seed: int, side: int, fraction: float) -> Volume:
    """A cube of neuropil, of which cell bodies fill about a fraction."""
    made = Somata(shape=(side,) * 3, seed=seed, fraction=fraction)
    return Volume(synthetic=made, labels="volumes/labels/somata")


TRAIN, VALIDATE, TEST = somata(1, 256, 0.12), somata(2, 256, 0.12), somata(3, 256, 0.06)


def coarsely(volume: Volume) -> Volume:
    """The volume, read at a quarter of its resolution."""
    return volume.derive(scale=SCALE)


def network(side: int, context: int, fold: int) -> Network:
    """Small enough for two cores."""
    trunk = ResidualUNet(
        widths=(16, 32, 64),
        factors=((2, 2, 2),) * 2,
        fold=(fold,) * 3,
        features_out=16,
        context=(context,) * 3,
    )
    return Network(trunk=trunk, train_shape=(side,) * 3)


TRAINING = Train(
    iterations=600,
    learning_rate=2e-3,
    schedule=Schedule(kind="cosine", warmup=50),
    precision="auto",
    channels_last=True,
    ema=0.99,
    validate_every=600,
    workers=1,
)

coarse = Config(
    name="soma_coarse",
    dataset=Dataset(
        train=coarsely(TRAIN),
        validate=coarsely(VALIDATE),
        test=coarsely(TEST),
        augment=AUGMENTATIONS["light"],
    ),
    variant=one(foreground=Head(target=Foreground(), loss=Bce(balance=True))),
    network=network(40, context=12, fold=1),
    train=TRAINING.derive(validate_every=300),
    # cells that touch hang together at this scale, by a neck that is narrower than they are
    segment=Segment(decoder=Components(), objects=Objects(min_size=30, split=400)),
    locate=Locate(min_size=SMALLEST // 64),
    # the threshold that finds most, whatever the outlines
    evaluate=Evaluate(metric=Benchmark(objective="ap50", min_size=SMALLEST // 64)),
)

config = Config(
    name="soma",
    dataset=Dataset(train=TRAIN, validate=VALIDATE, test=TEST, augment=AUGMENTATIONS["light"]),
    variant=one(outline=Head(target=InteriorBoundary(width=2), loss=Bce(balance=True))),
    network=network(80, context=16, fold=2),
    train=TRAINING.derive(iterations=1200, sampling=AroundObjects(min_size=SMALLEST)),
    # interiors hang together, where it is sure of them; the boundary, as wide, grows back
    segment=Segment(decoder=Interior(head="outline", threshold=0.8, reach=2, fill_holes=True)),
    seeds=Seeds(
        locator="runs/soma_coarse",
        window=(96, 96, 96),
        room=(12, 12, 12),
        min_size=SMALLEST,
    ),
    evaluate=Evaluate(of="objects", metric=Benchmark(min_size=SMALLEST)),
)
