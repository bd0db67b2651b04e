"""A network and what it runs on, in words: the line that training and prediction begin with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lsd.network.precision import choose
from lsd.spec import Precision


def described(
    network: nn.Module, *, device: torch.device, precision: Precision, threads: int | None
) -> str:
    """Parameters, device and precision, and what "auto" became.  threads: of a CPU; None: torch's
    choice."""
    chosen = choose(precision, device.type)
    where = (
        f"{device} with {_count(threads or torch.get_num_threads(), 'thread')}"
        if device.type == "cpu"
        else str(device)
    )
    return (
        f"{parameter_count(network)} on {where} in "
        f"{chosen}{'' if chosen == precision else f' ({precision})'}"
    )


def parameter_count(network: nn.Module) -> str:
    """How many parameters a network has, in words: "1,803,312 parameters"."""
    return _count(sum(parameter.numel() for parameter in network.parameters()), "parameter")


def size(shape: Sequence[int]) -> str:
    """The shape of an array in words: "18x18x18"."""
    return "x".join(str(int(n)) for n in shape)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
