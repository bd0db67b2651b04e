"""VARIANTS: what is learnt.  A new head, neighbourhood or cascade is a new value here."""

from lsd.spec import (
    NEAREST,
    Affinities,
    Descriptors,
    Discriminative,
    Embeddings,
    Head,
    Mse,
    Stage,
    Variant,
    Weighting,
)

LONG_RANGE = (
    *NEAREST,
    (-3, 0, 0),
    (0, -3, 0),
    (0, 0, -3),
    (-5, 0, 0),
    (0, -5, 0),
    (0, 0, -5),
    (-13, 0, 0),
    (0, -13, 0),
    (0, 0, -13),
)

AFFS = Head(target=Affinities(), loss=Mse(balance=True))
LONG_AFFS = Head(target=Affinities(neighborhood=LONG_RANGE), loss=Mse(balance=True))
EMBEDDINGS = Head(target=Embeddings(), loss=Discriminative())
LSDS = Head(target=Descriptors(sigma=80, downsample=2))


def one(**heads: Head) -> Variant:
    """One network that reads raw and has these heads."""
    return Variant(stages=(Stage(heads=heads),))


def weighed(weighting: Weighting, /, **heads: Head) -> Variant:
    """The same, of which the heads are weighed against each other while they are learned."""
    return Variant(stages=(Stage(heads=heads, weighting=weighting),))


def auto_context(*reads: str) -> Variant:
    """Descriptors first; affinities from `reads` (raw, lsds) second."""
    return Variant(
        stages=(
            Stage(name="lsds", heads={"lsds": LSDS}),
            Stage(name="affs", reads=reads, heads={"affs": AFFS}),
        )
    )


VARIANTS = {
    "aff": one(affs=AFFS),
    "lr": one(affs=LONG_AFFS),
    "lsd": one(lsds=LSDS),
    "mtlsd": one(lsds=LSDS, affs=AFFS),
    "aclsd": auto_context("lsds"),
    "acrlsd": auto_context("raw", "lsds"),
    "embeddings": one(affs=EMBEDDINGS),
}
