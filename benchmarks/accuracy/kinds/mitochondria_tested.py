"""The end of the comparison of mitochondria: the plain mask, and of the others the best on
validation, scored on sections of another volume of the same tissue, epfl_mito_test.zarr below the
data root.

It shares the runs of kinds/mitochondria.py, which are to be done before: nothing is chosen here.
"""

from benchmarks.accuracy.kinds.mitochondria import dataset
from benchmarks.accuracy.kinds.mitochondria import sweep as compared
from lsd.spec import Dataset, Volume

GROUPS = {"testing_z0_2": 3, "testing_z162_163": 2}
CHOSEN = ("mask", "lov_foreground_3")

sections = tuple(
    Volume(
        path="epfl_mito_test.zarr",
        raw=f"{group}/raw",
        labels=f"{group}/labels/mitochondria",
        region=f"{z}:{z + 1}, :, :",
        name=f"{group}_{z}",
    )
    for group, count in GROUPS.items()
    for z in range(count)
)
sweep = compared.derive(
    settings={name: compared.settings[name] for name in CHOSEN},
    scored=Dataset(validate=dataset.validate, test=sections),
)
