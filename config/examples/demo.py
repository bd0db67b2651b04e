"""What `make demo` runs: the synthetic volume, the small network, a few minutes."""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.examples.fib25_mtlsd import config as fib25
from config.networks import NETWORKS
from lsd.spec import Config, Fragments, Segment

config = Config(
    name="demo",
    dataset=DATASETS["synthetic"],
    variant=fib25.variant,
    network=NETWORKS["small"].derive(train_shape=(64, 64, 64)),
    train=fib25.train.derive(iterations=220, ema=0.98, validate_every=110),
    predict=fib25.predict.derive(augment="none"),
    segment=Segment(
        thresholds=fib25.segment.thresholds, fragments=Fragments(boundaries="affinity")
    ),
)
