"""From the share of a batch that a process has to what the whole batch gives.

A process without a sample takes part with zeros, so losses never see an empty share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lsd.losses.loss import LossSample, Totals
from lsd.losses.stage import StageLosses
from lsd.training.devices.ranks import Ranks

ByHead = Mapping[str, Totals]


def whole_losses(
    losses: StageLosses,
    share: LossSample | None,
    ranks: Ranks,
    *,
    heads: Sequence[str],
    samples: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """Loss of each of the heads over a batch of so many samples, scalars with the graph of the
    share.

    share: what this process has of the batch; None where it has no sample

    The gradients of these losses add up, over the processes, to the gradient of the whole batch;
    their values, and so all that is computed from them, are the same to the bit in all processes.
    """
    some_have_none = samples < ranks.size
    of_share = None if share is None else losses.totals(share, heads=heads)
    totals = _whole(of_share, ranks, some_have_none, device=device)
    if share is None:
        own = {name: torch.zeros((), device=device, requires_grad=True) for name in heads}
    else:
        own = losses(share, totals)
    if ranks.size == 1:
        return own
    whole = torch.stack([loss.detach() for loss in own.values()])
    ranks.sum([whole])
    # in this order: the difference is exactly 0, and has the gradient
    return {
        name: (loss - loss.detach()) + value
        for (name, loss), value in zip(own.items(), whole, strict=True)
    }


def _whole(
    own: ByHead | None, ranks: Ranks, some_have_none: bool, *, device: torch.device
) -> ByHead:
    """Totals of the whole batch; own: of the share of this process, None where it has none."""
    if ranks.size == 1:
        assert own is not None
        return own
    layout = _layout(own) if own is not None else {}
    if some_have_none:
        layout = ranks.from_first(lambda: layout)
    totals = {
        head: {
            key: torch.zeros(shape, dtype=dtype, device=device)
            if own is None
            # not what the loss holds on to: it becomes the sum, in place
            else own[head][key].detach().to(device, copy=True)
            for key, (shape, dtype) in entries.items()
        }
        for head, entries in layout.items()
    }
    ranks.sum([total for entries in totals.values() for total in entries.values()])
    return totals


def _layout(totals: ByHead) -> dict[str, dict[str, tuple[tuple[int, ...], torch.dtype]]]:
    """Shape and dtype of each."""
    return {
        head: {key: (tuple(total.shape), total.dtype) for key, total in entries.items()}
        for head, entries in totals.items()
    }
