"""Tiny trunks and variants."""

import torch

from lsd.spec import (
    NEAREST,
    Affinities,
    Boundary,
    Descriptors,
    Discriminative,
    Embeddings,
    Head,
    ResidualUNet,
    Stage,
    UNet,
    Variant,
)

AFFS, LSDS = Head(target=Affinities()), Head(target=Descriptors())
EMBEDDINGS = Head(
    target=Embeddings(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, 3)), dimensions=5),
    loss=Discriminative(),
)
LONG = Head(target=Affinities(neighborhood=(*NEAREST, (-3, 0, 0), (0, -5, 0), (0, 0, -5))))


def _stages(*stages):
    return Variant(stages=stages)


TINY_VARIANTS = {
    "aff": _stages(Stage(heads={"affs": AFFS})),
    "lr": _stages(Stage(heads={"affs": LONG})),
    "lsd": _stages(Stage(heads={"lsds": LSDS})),
    "mtlsd": _stages(Stage(heads={"lsds": LSDS, "affs": AFFS})),
    "aclsd": _stages(
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(name="affs", reads=("lsds",), heads={"affs": AFFS}),
    ),
    "acrlsd": _stages(
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}),
    ),
    # the first stage gives other channels than it predicts, and is read with a margin
    "embeddings": _stages(
        Stage(name="embeddings", heads={"near": EMBEDDINGS}),
        Stage(name="affs", reads=("raw", "near"), heads={"affs": AFFS, "far": EMBEDDINGS}),
    ),
}
# a stage that nobody reads, and one that reads two
BRANCHED = _stages(
    Stage(name="one", heads={"lsds": LSDS}),
    Stage(name="aside", heads={"boundary": Head(target=Boundary())}),
    Stage(name="two", reads=("lsds",), heads={"rough": AFFS}),
    Stage(name="three", reads=("raw", "lsds", "rough"), heads={"affs": AFFS}),
)
TINY_TRUNKS = {
    "unet3d": UNet(
        features=3,
        multiplier=2,
        factors=((1, 2, 2), (2, 2, 2)),
        level_kernels=(((1, 3, 3),), *[((3, 3, 3),)] * 2),
    ),
    "unet2d": UNet(features=3, multiplier=2, factors=((3, 3),), kernels=((3, 3), (3, 3))),
    "same3d": UNet(
        features=3,
        multiplier=2,
        factors=((2, 3, 2),),
        kernels=((3, 3, 3),),
        padding="same",
        upsample="nearest",
    ),
    "residual3d": ResidualUNet(widths=(3, 4), factors=((1, 2, 2),), first_kernel=(1, 3, 3)),
    "folded3d": ResidualUNet(widths=(3, 4), factors=((2, 1, 2),), fold=(1, 2, 2), features_out=4),
    "residual2d": ResidualUNet(
        widths=(3, 4, 5), factors=((2, 2), (2, 2)), kernel=(3, 3), context=(7, 5)
    ),
}


def lively(cascade):
    """The cascade with weights that make every layer matter, the zeros of residual modules
    included."""
    for weights in cascade.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=1.5 / weights[0].numel() ** 0.5)
        else:
            torch.nn.init.normal_(weights, std=0.1)
    return cascade
