"""SNEMI3D, affinities only; everything else as in snemi3d_mtlsd.py, to compare the two."""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.examples.fib25_mtlsd import AFFS
from config.examples.snemi3d_mtlsd import config as mtlsd
from config.variants import one

config = mtlsd.derive(name="snemi3d_aff", variant=one(affs=AFFS))
