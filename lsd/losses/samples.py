"""From samples of a batch to numpy, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsd.arrays.offsets import Offset
from lsd.losses.labelled import as_ids
from lsd.targets.affinities import affinities


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

    labels: int64 (b, 1, *spatial), bit patterns of uint64; known: bool, of that shape
    """
    of_samples = [
        affinities(ids, neighborhood, mask=inside)
        for ids, inside in zip(as_ids(labels)[:, 0], known.cpu().numpy()[:, 0], strict=True)
    ]
    target, valid = (torch.from_numpy(np.stack(part)) for part in zip(*of_samples, strict=True))
    return target.to(labels.device), valid.to(labels.device)


def check_logits(logits: Tensor, known: Tensor) -> None:
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
