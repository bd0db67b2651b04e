"""Serial sections of a real volume, snemi3d.hdf below the data root: affinities alone, with
descriptors that weigh 1, and with descriptors as the screening chose, which is the example; as long
as the example trains.  Validation only: the test sections are for the end."""

from benchmarks.accuracy.settings import mtlsd
from config.examples.fib25_mtlsd import AFFS
from config.examples.snemi3d_mtlsd import config as example
from config.variants import one
from lsd.spec import Dataset, Sweep

base = example.derive(name="snemi3d", dataset=example.dataset.derive(test=()))
sweep = Sweep(
    name="accuracy_snemi3d",
    settings={
        "aff": base.derive(variant=one(affs=AFFS)),
        "mtlsd_1": base.derive(variant=mtlsd(1)),
        "mtlsd_uncertainty": base,
    },
    seeds=(1, 2, 3, 4, 5),
    scored=Dataset(validate=example.dataset.validate),
)
