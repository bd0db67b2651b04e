"""FIB-25 on a laptop's cores: descriptors and affinities from one small residual U-Net.

lsd train -c config/examples/fib25_mtlsd.py, then lsd predict, lsd segment, lsd evaluate with the
same -c.
"""

from config.datasets import AUGMENTATIONS, DATASETS, sharpened
from config.networks import NETWORKS
from config.variants import one
from lsd.spec import (
    Affinities,
    Bce,
    Config,
    Descriptors,
    Evaluate,
    Fragments,
    Head,
    Mse,
    Predict,
    Schedule,
    Segment,
    Train,
)

# cross entropy learns faster than the paper's squared error where iterations are few
LSDS = Head(target=Descriptors(sigma=80, downsample=2), loss=Mse(weight=10))
AFFS = Head(target=Affinities(), loss=Bce(balance=True))
# voxels as they are: deformation interpolates, which costs more than it gives where iterations are
# few.  Membranes become fainter from section to section: training draws contrasts, and what is
# predicted is sharpened, as much as validation likes
FIB25 = DATASETS["fib25"].derive(
    augment=AUGMENTATIONS["robust"],
    validate=sharpened(DATASETS["fib25"].validate, 1.5),
    test=sharpened(DATASETS["fib25"].test, 1.5),
)

config = Config(
    name="fib25_mtlsd",
    dataset=FIB25,
    variant=one(lsds=LSDS, affs=AFFS),
    network=NETWORKS["small"],
    train=Train(
        iterations=1600,
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
        validate_every=400,
    ),
    predict=Predict(precision="auto", channels_last=True, threads=2, augment="flips"),
    # truth is dense here: boundary voxels count, so the affinities say whose they are
    segment=Segment(
        thresholds=(*(n / 20 for n in range(2, 18)), *(n / 100 for n in range(90, 99))),
        fragments=Fragments(boundaries="affinity", min_seed_distance=6),
        scoring="mean",
        caution=0.25,
    ),
    # few neurons are in the validation sections: chance decides between thresholds
    # and the truth is cut out of a larger volume: neurons lie in pieces, which nothing joins
    evaluate=Evaluate(tolerance=0.05, connected=True),
)
