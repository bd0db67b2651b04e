"""The end of the comparison of SNEMI3D: affinities alone and the setting that the screening chose,
scored on the test sections of snemi3d.hdf below the data root.

It shares the runs of kinds/snemi3d.py, which are to be done before: nothing is chosen here.
"""

from benchmarks.accuracy.kinds.snemi3d import sweep as compared
from config.examples.snemi3d_mtlsd import config as example
from lsd.spec import Dataset

CHOSEN = ("aff", "mtlsd_uncertainty")

sweep = compared.derive(
    settings={name: compared.settings[name] for name in CHOSEN},
    scored=Dataset(validate=example.dataset.validate, test=example.dataset.test),
)
