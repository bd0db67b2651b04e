"""The end of the comparison of FIB-25: affinities alone and the setting that the screening chose,
scored on the test sections of fib25.zarr below the data root.

It shares the runs of kinds/fib25.py, which are to be done before: nothing is chosen here.
"""

from benchmarks.accuracy.kinds.fib25 import sweep as compared
from config.examples.fib25_mtlsd import config as example
from lsd.spec import Dataset

CHOSEN = ("aff", "mtlsd_uncertainty")

sweep = compared.derive(
    settings={name: compared.settings[name] for name in CHOSEN},
    scored=Dataset(validate=example.dataset.validate, test=example.dataset.test),
)
