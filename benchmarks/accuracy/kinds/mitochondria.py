"""Mitochondria of one real volume, sections as images of their own, a 2D network: a mask, a signed
distance, affinities with descriptors, and local occupancy vectors.  Validation only: the sections
of the other volume are for the end.

The data lies in epfl_mito.zarr below the data root.
"""

from config.examples.epfl_mito import EPFL, TRAIN
from config.examples.epfl_mito import config as example
from config.examples.fib25_mtlsd import AFFS, LSDS
from config.variants import one
from lsd.spec import (
    Bce,
    Box,
    Components,
    Config,
    Consensus,
    Dataset,
    Foreground,
    Fragments,
    Head,
    Instance,
    Mse,
    Mutex,
    Objects,
    Occupancy,
    SignedDistance,
    Sweep,
)

# every third: a section is much like the next one
SECTIONS = range(1, 20, 3)
FAR = tuple(
    (0, sign * y, sign * x) for y, x in ((9, 0), (0, 9), (6, 6), (6, -6)) for sign in (1, -1)
)
MIN_SIZE = 200

dataset = Dataset(
    train=EPFL.derive(region=TRAIN),
    validate=tuple(
        EPFL.derive(region=f"{z}:{z + 1}, :, 512:768", name=f"section{z:02}") for z in SECTIONS
    ),
    augment=example.dataset.augment,
)
base = example.derive(
    name="mitochondria",
    dataset=dataset,
    segment={"objects": Objects(min_size=MIN_SIZE, fill_holes=True)},
    # what lies apart in a section is an object of its own
    evaluate={"connected": True},
)


def foreground(size: int) -> Config:
    """Occupancy of a square of voxels."""
    target = Occupancy(kernel=Box(size=(1, size, size)), mode="foreground")
    return base.derive(
        variant=one(occupancy=Head(target=target, loss=Bce())),
        segment={"decoder": Consensus(head="occupancy")},
    )


def components(head: Head) -> Config:
    """Objects of one channel."""
    return base.derive(variant=one(inside=head), segment={"decoder": Components(head="inside")})


def joined(affinities: str, decoder: Instance, **heads: Head) -> Config:
    """Objects of affinities, inside of the foreground."""
    return base.derive(
        variant=one(**heads, foreground=Head(target=Foreground(), loss=Bce())),
        segment={
            "affinities": affinities,
            "decoder": decoder,
            "fragments": Fragments(min_seed_distance=20, boundaries="affinity", min_size=MIN_SIZE),
            "mutex": Mutex(min_size=MIN_SIZE),
        },
    )


KERNEL = (*Box(size=(1, 3, 3)).offsets_in(3), *FAR)
sweep = Sweep(
    name="accuracy_mitochondria",
    settings={
        "mask": components(Head(target=Foreground(), loss=Bce())),
        "signed_distance": components(Head(target=SignedDistance(reach=50), loss=Mse())),
        "mtlsd": joined(
            "affs",
            Instance(by="watershed", foreground="foreground"),
            lsds=LSDS.derive(loss={"weight": 1}),
            affs=AFFS,
        ),
        "lov_foreground_3": foreground(3),
        "lov_foreground_7": foreground(7),
        "lov_instance": joined(
            "occupancy",
            Instance(by="mutex", foreground="foreground"),
            occupancy=Head(
                target=Occupancy(kernel=KERNEL, mode="instance"), loss=Bce(balance=True)
            ),
        ),
    },
    seeds=(1, 2, 3),
    minutes=10,
    further="benchmarks.accuracy.objects:of_objects",
)
