"""Mitochondria of EPFL's hippocampus (FIB-SEM, 5 nm), section by section, by local occupancy
vectors: each voxel says of its neighbours too whether they are inside, and what all say of a voxel
becomes one probability.

lsd train -c config/examples/epfl_mito.py, then lsd predict, lsd segment, lsd evaluate with the same
-c.  Training and validation are parts of one volume that lie 320 nm apart; no object is in both.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.networks import NETWORKS
from config.variants import one
from lsd.spec import (
    Bce,
    Box,
    Config,
    Consensus,
    Contrast,
    Dataset,
    Evaluate,
    Head,
    Intensity,
    Noise,
    ObjectDetection,
    Objects,
    Occupancy,
    Predict,
    Schedule,
    Segment,
    Simple,
    Train,
    Volume,
)

MITOCHONDRIA = "volumes/labels/mitochondria_instances"
EPFL = Volume(path="epfl_mito.zarr", labels=MITOCHONDRIA)
TRAIN, VALIDATE = ":, :, 0:448", ":, :, 512:768"

config = Config(
    name="epfl_mito",
    dataset=Dataset(
        train=EPFL.derive(region=TRAIN),
        validate=EPFL.derive(region=VALIDATE),
        augment=(Simple(), Contrast(), Intensity(), Noise()),
    ),
    variant=one(
        occupancy=Head(target=Occupancy(kernel=Box(size=(1, 3, 3)), mode="foreground"), loss=Bce())
    ),
    network=NETWORKS["small2d"],
    train=Train(
        iterations=3000,
        batch_size=8,
        learning_rate=2e-3,
        schedule=Schedule(kind="cosine", warmup=100, final=0.02),
        weight_decay=0.01,
        clip=1.0,
        ema=0.995,
        precision="auto",
        channels_last=True,
        threads=2,
        checkpoint_every=200,
        validate_every=500,
    ),
    predict=Predict(precision="auto", channels_last=True, threads=2),
    segment=Segment(
        decoder=Consensus(head="occupancy"),
        objects=Objects(min_size=200, fill_holes=True),
        thresholds=tuple(n / 20 for n in range(2, 20)),
    ),
    evaluate=Evaluate(metric=ObjectDetection(objective="pq")),
)
