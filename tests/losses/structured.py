"""Samples of structured losses, as a stage hands them out."""

import numpy as np
import torch

from lsd.losses.loss import LossSample
from lsd.spec import Affinities, Foreground
from lsd.targets.target import compute, target_kind

NEAREST = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
AFFS = Affinities(neighborhood=(*NEAREST, (-2, 1, 0), (0, 0, 3)))
SHAPES = {2: (7, 8), 3: (4, 5, 6)}


def sample_of(target, *, dims=3, size=2, seed=0, logits=None) -> LossSample:
    """A batch of blocks of two objects and background, of which not all is known."""
    random, shape = torch.Generator().manual_seed(seed), SHAPES[dims]
    labels = torch.randint(-1, 2, (size, 1, *shape), generator=random)
    labels[..., 1:3], labels[..., 4:] = 1, -2
    labels[..., 3] = 0
    known = torch.rand(labels.shape, generator=random) < 0.9
    kind = target_kind(target)
    computed = []
    for ids, inside in zip(labels.numpy().view(np.uint64), known.numpy(), strict=True):
        computed.append(compute(target, ids[0], known=inside[0], voxel_size=(8,) * dims))
    targets, weights = (
        torch.from_numpy(np.stack(arrays)) for arrays in zip(*computed, strict=True)
    )
    if logits is None:
        logits = torch.randn(targets.shape, generator=random)
    offsets = kind.neighborhood(dims)
    return LossSample(
        logits={"a": logits.requires_grad_()},
        targets={"a": targets},
        weights={"a": weights.float()},
        labels=labels,
        known=known,
        voxel_size=(8.0,) * dims,
        activations={"a": kind.activation},
        neighborhoods={} if offsets is None else {"a": offsets},
        head="a",
    )


HEADS = {"affinities": AFFS, "foreground": Foreground()}
