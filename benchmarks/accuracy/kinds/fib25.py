"""FIB-SEM, isotropic, of a real volume, fib25.zarr below the data root: affinities alone, and with
descriptors that weigh 1 and as the screening chose, as long as their curves ask for.  Validation
only: the test sections are for the end."""

from benchmarks.accuracy.settings import mtlsd
from config.examples.fib25_mtlsd import AFFS
from config.examples.fib25_mtlsd import config as example
from config.variants import one
from lsd.spec import Dataset, Sweep, Uncertainty

base = example.derive(
    name="fib25",
    dataset=example.dataset.derive(test=()),
    train={"iterations": 3000, "validate_every": 500},
)
sweep = Sweep(
    name="accuracy_fib25",
    settings={
        "aff": base.derive(variant=one(affs=AFFS)),
        "mtlsd_1": base.derive(variant=mtlsd(1)),
        "mtlsd_uncertainty": base.derive(variant=mtlsd(Uncertainty())),
    },
    seeds=(1, 2, 3),
    scored=Dataset(validate=example.dataset.validate),
)
