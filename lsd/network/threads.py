"""With how many threads a network computes on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lsd.system.cores import cores


def threads(asked: int | None) -> int:
    """As many as are asked for; None: those of torch, but no more than there are cores."""
    return asked or min(torch.get_num_threads(), cores())


@contextmanager
def computing_with(asked: int | None) -> Iterator[None]:
    """Inside, torch computes with so many `threads`."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads(asked))
    try:
        yield
    finally:
        torch.set_num_threads(before)
