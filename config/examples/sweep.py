"""A sweep: settings that are compared, each with several seeds.  Edit the list, then
python sweep.py -c config/examples/sweep.py

A setting is a config, here the demo's with another variant; --seeds, --minutes and key=value change
all of them.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.examples.demo import config as demo
from config.examples.fib25_mtlsd import AFFS, LSDS
from config.networks import NETWORKS  # noqa: F401
from config.variants import VARIANTS, one  # noqa: F401
from lsd.spec import Sweep


def weighted(weight: float) -> dict[str, float]:
    """What the loss of the descriptors weighs, that of the affinities being 1."""
    return {"weight": weight}


sweep = Sweep(
    name="demo_sweep",
    settings={
        "aff": demo.derive(variant=one(affs=AFFS)),
        "mtlsd_1": demo.derive(variant=one(lsds=LSDS.derive(loss=weighted(1)), affs=AFFS)),
        "mtlsd_10": demo.derive(variant=one(lsds=LSDS.derive(loss=weighted(10)), affs=AFFS)),
    },
    seeds=(0, 1, 2),
)
