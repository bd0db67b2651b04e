"""The first of the two networks of plant_nuclei_stages.py, which locates nuclei."""

from config.datasets import DATASETS  # noqa: F401
from config.examples.plant_nuclei_stages import coarse
from config.networks import NETWORKS  # noqa: F401
from config.variants import VARIANTS  # noqa: F401

config = coarse
