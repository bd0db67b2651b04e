"""The first of the two networks of soma.py, which locates cell bodies."""

from config.datasets import DATASETS  # noqa: F401
from config.examples.soma import coarse
from config.networks import NETWORKS  # noqa: F401
from config.variants import VARIANTS  # noqa: F401

config = coarse
