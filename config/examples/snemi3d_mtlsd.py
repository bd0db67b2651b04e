"""SNEMI3D (serial sections) on a laptop's cores: fib25_mtlsd.py with a network and fragments for
anisotropic voxels."""

from config.datasets import AUGMENTATIONS, DATASETS
from config.examples.fib25_mtlsd import AFFS, LSDS
from config.examples.fib25_mtlsd import config as fib25
from config.networks import NETWORKS
from config.variants import weighed
from lsd.spec import Evaluate, Fragments, Uncertainty

config = fib25.derive(
    name="snemi3d_mtlsd",
    dataset=DATASETS["snemi3d"].derive(augment=AUGMENTATIONS["light_sections"]),
    # descriptors weighed as they are learned: the best way to have them in the screening of
    # benchmarks/results/accuracy.md, and no weight is to be tried
    variant=weighed(Uncertainty(), lsds=LSDS.derive(loss={"weight": 1}), affs=AFFS),
    network=NETWORKS["small_aniso"],
    # scores go on to improve where 500 iterations end
    train={"iterations": 1500, "validate_every": 250},
    predict={"augment": "none"},
    # voxels are smaller and neurites wider than in FIB-25, so seeds lie further apart than the
    # default of 10
    segment={"fragments": Fragments(in_xy=True, min_seed_distance=20)},
    evaluate=Evaluate(connected=True),
)
