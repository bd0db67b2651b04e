"""Nuclei of plant ovules in confocal volumes, in 3D, by local occupancy vectors: which voxels
around a voxel are of the same nucleus.  Far ones keep nuclei apart in the mutex watershed.

lsd train -c config/examples/plant_nuclei.py, then lsd predict, lsd segment, lsd evaluate with the
same -c.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.networks import NETWORKS
from config.variants import one
from lsd.spec import (
    Bce,
    Box,
    Config,
    Contrast,
    Dataset,
    Evaluate,
    Foreground,
    Head,
    Instance,
    Intensity,
    Mutex,
    Noise,
    ObjectDetection,
    Occupancy,
    Predict,
    Schedule,
    Segment,
    Simple,
    Train,
    Volume,
)

NUCLEI = Volume(path="plant_nuclei.zarr", labels="volumes/labels/nuclei", raw_range=(0, 150))
# voxels around, then as far as half a nucleus
KERNEL = (
    *Box(size=(3, 3, 3)).offsets_in(3),
    *((sign * z, sign * y, sign * x)
      for z, y, x in ((3, 0, 0), (0, 6, 0), (0, 0, 6), (0, 4, 4), (0, 4, -4))
      for sign in (1, -1)),
)  # fmt: skip

config = Config(
    name="plant_nuclei",
    dataset=Dataset(
        train=NUCLEI.derive(region="0:60"),
        validate=NUCLEI.derive(region="60:100"),
        augment=(
            Simple(mirror="zyx", transpose="yx"),
            Contrast(),
            Intensity(),
            Noise(),
        ),
    ),
    variant=one(
        occupancy=Head(target=Occupancy(kernel=KERNEL, mode="instance"), loss=Bce(balance=True)),
        foreground=Head(target=Foreground(), loss=Bce()),
    ),
    network=NETWORKS["small_aniso"].derive(train_shape=(24, 96, 96)),
    train=Train(
        iterations=1500,
        batch_size=2,
        learning_rate=2e-3,
        schedule=Schedule(kind="cosine", warmup=100, final=0.02),
        weight_decay=0.01,
        clip=1.0,
        ema=0.995,
        precision="auto",
        channels_last=True,
        threads=2,
        checkpoint_every=100,
        validate_every=250,
    ),
    predict=Predict(precision="auto", channels_last=True, threads=2, augment="flips"),
    segment=Segment(
        affinities="occupancy",
        decoder=Instance(by="mutex", foreground="foreground"),
        mutex=Mutex(min_size=100),
    ),
    evaluate=Evaluate(metric=ObjectDetection(objective="accuracy", iou=None)),
)
