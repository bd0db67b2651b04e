"""From samples of a batch to numpy, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsd.arrays.offsets import Offset, views


class LogitsNotFinite(ValueError):
    """A logit that counts is NaN or infinite, so what it connects is not defined."""


def over_samples(function: Callable[..., NDArray[Any]], *batches: Tensor, threads: int) -> Tensor:
    """What `function` gives for the arrays of each sample, stacked; on the device of the first.

    batches: tensors (b, ...) without gradient; function: gets one array of each
    threads: samples that are computed at once
    """
    arrays = [batch.detach().cpu().numpy() for batch in batches]
    if threads == 1 or len(arrays[0]) == 1:
        computed = list(map(function, *arrays))
    else:
        with ThreadPoolExecutor(threads) as pool:
            computed = list(pool.map(function, *arrays))
    return torch.from_numpy(np.stack(computed)).to(batches[0].device)


def known_edges(
    labels: Tensor, known: Tensor, neighborhood: Sequence[Offset]
) -> tuple[Tensor, Tensor]:
    """Affinities of labels and where they are known: float32 and bool (b, c, *spatial).

    labels, known: (b, 1, *spatial)
    """
    shape = (len(labels), len(neighborhood), *labels.shape[2:])
    target = torch.zeros(shape, device=labels.device)
    valid = torch.zeros(shape, dtype=torch.bool, device=labels.device)
    for channel, offset in enumerate(neighborhood):
        voxels, neighbours = views(labels.shape[2:], offset)
        one, other = labels[:, 0][:, *voxels], labels[:, 0][:, *neighbours]
        target[:, channel][:, *voxels] = ((one == other) & (one != 0)).float()
        valid[:, channel][:, *voxels] = known[:, 0][:, *voxels] & known[:, 0][:, *neighbours]
    return target, valid


def check_finite(logits: Tensor, known: Tensor) -> None:
    """Raises LogitsNotFinite where a logit that counts is NaN or infinite, naming the first.

    logits: (b, c, *spatial); known: bool, of that shape or broadcast to it
    """
    wrong = ~logits.detach().isfinite() & known
    if wrong.any():
        sample, channel, *voxel = (int(i) for i in wrong.nonzero()[0])
        raise LogitsNotFinite(
            f"logits are {logits[sample, channel][tuple(voxel)].item()} in sample {sample}, channel"
            f" {channel}, at voxel {tuple(voxel)}, and not finite at {int(wrong.sum())} places in "
            "all, so what they connect is not defined; lower the learning rate, clip gradients or "
            "compute in fp32"
        )
