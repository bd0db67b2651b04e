"""CEM-MitoLab (EMPIAR-11037): mitochondria in 2D images of many sources, as they lie on disk once
`lsd fetch mitolab` has unzipped them: cem_mitolab/<source>/images/*.tiff and masks/*.tiff.

Sources are split as wholes: crops of one volume are too much alike to train on some and to test on
others.  The split is written to cem_mitolab.csv in the data root, once.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.networks import NETWORKS
from config.variants import one
from lsd.spec import (
    Bce,
    Box,
    Config,
    Consensus,
    Dataset,
    Evaluate,
    ForegroundOverlap,
    Head,
    Images,
    Intensity,
    Noise,
    Occupancy,
    Schedule,
    Segment,
    Simple,
    Split,
    Train,
    Volume,
)

IMAGES = Images(
    images="cem_mitolab/*/images/*.tiff",
    masks="cem_mitolab/*/masks/*.tiff",
    split=Split(by="folder", fractions=(0.8, 0.05, 0.15)),
)


def part(name: str) -> Volume:
    """Images of a part of the split.  There is no voxel size that is known."""
    return Volume(images=IMAGES.derive(part=name))


config = Config(
    name="mitolab",
    dataset=Dataset(
        train=part("train"),
        validate=part("validate"),
        test=part("test"),
        augment=(Simple(), Intensity(), Noise()),
    ),
    variant=one(
        occupancy=Head(
            target=Occupancy(kernel=Box(size=(1, 3, 3)), mode="foreground"),
            loss=Bce(balance=True),
        )
    ),
    network=NETWORKS["small2d"],
    train=Train(
        iterations=20_000,
        batch_size=8,
        learning_rate=2e-3,
        schedule=Schedule(kind="cosine", warmup=200),
        precision="auto",
        validate_every=2000,
    ),
    segment=Segment(decoder=Consensus(head="occupancy")),
    # which voxels are of mitochondria; evaluate.metric=objects asks how many were found
    evaluate=Evaluate(metric=ForegroundOverlap()),
)
