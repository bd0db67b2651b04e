"""Nuclei of one real confocal volume in 3D: local occupancy vectors of instances, affinities, and a
mask alone.  Validation only: the other volume is for the end.

The data lies in plant_nuclei.zarr below the data root.
"""

from config.examples.fib25_mtlsd import AFFS
from config.examples.plant_nuclei import config as example
from config.variants import one
from lsd.spec import Bce, Components, Foreground, Fragments, Head, Instance, Objects, Sweep

FOREGROUND = Head(target=Foreground(), loss=Bce())
MIN_SIZE = example.segment.mutex.min_size

sweep = Sweep(
    name="accuracy_nuclei",
    settings={
        "lov_instance": example,
        "aff": example.derive(
            variant=one(affs=AFFS, foreground=FOREGROUND),
            segment={
                "affinities": "affs",
                "decoder": Instance(by="watershed", foreground="foreground"),
                "fragments": Fragments(min_seed_distance=7, boundaries="affinity"),
            },
        ),
        "mask": example.derive(
            variant=one(foreground=FOREGROUND),
            segment={
                "decoder": Components(head="foreground"),
                "objects": Objects(min_size=MIN_SIZE),
                "thresholds": tuple(n / 20 for n in range(2, 20)),
            },
        ),
    },
    seeds=(1, 2, 3),
    minutes=10,
    further="benchmarks.accuracy.objects:of_objects",
)
