"""Serial sections of a real volume, snemi3d.hdf below the data root: affinities alone, and with
descriptors as the example weighs them and as the screening chose, as long as the example trains.
Validation only: the test sections are for the end."""

from benchmarks.accuracy.settings import weighed
from config.examples.fib25_mtlsd import AFFS
from config.examples.snemi3d_mtlsd import config as example
from config.variants import one
from lsd.spec import Dataset, Sweep, Uncertainty

base = example.derive(name="snemi3d", dataset=example.dataset.derive(test=()))
sweep = Sweep(
    name="accuracy_snemi3d",
    settings={
        "aff": base.derive(variant=one(affs=AFFS)),
        "mtlsd_1": base,
        "mtlsd_uncertainty": base.derive(variant=weighed(Uncertainty())),
    },
    seeds=(1, 2, 3, 4, 5),
    scored=Dataset(validate=example.dataset.validate),
)
