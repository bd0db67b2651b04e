"""The settings that are compared: how each differs from what all have in common.

A setting more is an entry more: a function of the config that all begin with.
"""

from collections.abc import Callable

from config.examples.fib25_mtlsd import AFFS, LSDS
from config.examples.fib25_mtlsd import config as fib25
from config.variants import EMBEDDINGS, LONG_RANGE, one, weighed
from config.variants import VARIANTS as PAPER
from lsd.spec import (
    Affinities,
    Bce,
    Config,
    CosineGate,
    Dataset,
    ForkMerge,
    Fragments,
    Malis,
    Network,
    PCGrad,
    Schedule,
    Stage,
    Supervoxel,
    Uncertainty,
    Variant,
    Weighting,
)

THRESHOLDS = (*(n / 10 for n in range(1, 9)), *(n / 100 for n in (85, 90, 93, 95, 96, 97, 98)))


def base(*, dataset: Dataset, network: Network, fragments: Fragments) -> Config:
    """What all have in common: the small network, trained as the FIB-25 example is, predicted
    without flips."""
    return Config(
        name="accuracy",
        dataset=dataset,
        variant=one(affs=AFFS),
        network=network,
        train=fib25.train.derive(validate_every=200),
        predict=fib25.predict.derive(augment="none"),
        segment=fib25.segment.derive(fragments=fragments, thresholds=THRESHOLDS),
    )


def mtlsd(descriptors: float | Weighting) -> Variant:
    """Descriptors and affinities; descriptors: what their loss weighs, that of the affinities being
    1, or how both are weighed against each other while they are learned."""
    if isinstance(descriptors, Weighting):
        return weighed(descriptors, lsds=LSDS.derive(loss={"weight": 1}), affs=AFFS)
    return one(lsds=LSDS.derive(loss={"weight": descriptors}), affs=AFFS)


def acrlsd() -> Variant:
    """Descriptors first, then affinities from raw and descriptors."""
    return Variant(
        stages=(
            Stage(name="lsds", heads={"lsds": LSDS}),
            Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}),
        )
    )


def paper(config: Config) -> Config:
    """Squared error, Adam at 5e-5 throughout, fragments and the quantile of the paper."""
    usual = {"learning_rate": 5e-5, "schedule": Schedule(), "weight_decay": 0.0, "clip": None}
    fragments = Fragments(in_xy=config.segment.fragments.in_xy)
    return config.derive(
        variant=PAPER["mtlsd"],
        train={**usual, "ema": None},
        segment={"fragments": fragments, "scoring": "hist_quant_75", "caution": 0.0},
    )


def forkmerge(config: Config) -> Config:
    """A branch for the affinities and one for both; they become one again every 200 iterations, by
    the score on the crop that picks checkpoints."""
    return config.derive(variant=mtlsd(1), train={"mode": ForkMerge(every=200)})


def _with(variant: Variant) -> Callable[[Config], Config]:
    return lambda config: config.derive(variant=variant)


SETTINGS: dict[str, Callable[[Config], Config]] = {
    "aff": _with(one(affs=AFFS)),
    "lr": _with(one(affs=AFFS.derive(target=Affinities(neighborhood=LONG_RANGE)))),
    "mtlsd_0.1": _with(mtlsd(0.1)),
    "mtlsd_1": _with(mtlsd(1)),
    "mtlsd_10": _with(mtlsd(10)),
    "mtlsd_uncertainty": _with(mtlsd(Uncertainty())),
    "mtlsd_pcgrad": _with(mtlsd(PCGrad())),
    "mtlsd_cosine_gate": _with(mtlsd(CosineGate())),
    "mtlsd_forkmerge": forkmerge,
    "acrlsd": _with(acrlsd()),
    "aff_malis": _with(one(affs=AFFS.derive(loss=Malis(dense=Bce(balance=True))))),
    "aff_supervoxel": _with(one(affs=AFFS.derive(loss=Supervoxel(balance=True)))),
    # at 0.1 and 1 the affinities stay at chance: the gradient of embeddings is many times as large
    "aff_embeddings": _with(one(affs=AFFS, embeddings=EMBEDDINGS.derive(loss={"weight": 0.01}))),
    "embeddings": _with(one(affs=EMBEDDINGS)),
    "paper": paper,
}
