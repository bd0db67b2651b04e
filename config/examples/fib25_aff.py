"""FIB-25, affinities only; everything else as in fib25_mtlsd.py, to compare the two."""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.examples.fib25_mtlsd import AFFS
from config.examples.fib25_mtlsd import config as mtlsd
from config.variants import one

config = mtlsd.derive(name="fib25_aff", variant=one(affs=AFFS))
