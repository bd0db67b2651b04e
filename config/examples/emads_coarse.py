"""The first of the two networks of emads.py, which finds somas."""

from config.datasets import DATASETS  # noqa: F401
from config.examples.emads import coarse
from config.networks import NETWORKS  # noqa: F401
from config.variants import VARIANTS  # noqa: F401

config = coarse
