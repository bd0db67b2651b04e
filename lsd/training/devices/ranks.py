"""The processes that share the batches of a run, and how the whole comes of what each of them has.

A run in one process goes through the same lines; nothing is sent, and tensors stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")

# values sent at once: enough to fill a network, few enough that some travel while others are copied
_AT_ONCE = 2**23


class Lost(RuntimeError):
    """Another process of the run has gone, or cannot be reached."""


@dataclass(frozen=True)
class Ranks:
    """Processes, numbered from 0, each of which learns from its share of every batch.

    rank:  number of this process;  size: how many there are
    local: how many of them are on this machine
    """

    rank: int = 0
    size: int = 1
    local: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one validates, and writes what the run leaves on disk."""
        return self.rank == 0

    def share(self, samples: int) -> range:
        """Which samples, of a batch of so many, this process learns from; the first has one always.

        Shares differ by one sample at most.  They are empty where there are more processes than
        samples.
        """
        each, more = divmod(samples, self.size)
        begin = self.rank * each + min(self.rank, more)
        return range(begin, begin + each + (self.rank < more))

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Makes each tensor the sum over all processes, in place, to the same bits in each.

        Shapes and dtypes are the same in all of them.  Raises Lost.
        """
        if self.size == 1:
            return
        sent = [
            (part, torch.cat([one.detach().flatten() for one in part])) for part in _parts(tensors)
        ]
        with _telling():
            works = [dist.all_reduce(flat, async_op=True) for _, flat in sent]
            for work in works:
                work.wait()
        for part, flat in sent:
            values = torch.split(flat, [one.numel() for one in part])
            for one, value in zip(part, values, strict=True):
                one.detach().copy_(value.view(one.shape))

    def any(self, said: bool) -> bool:
        """Whether any process says so.  Raises Lost."""
        if self.size == 1:
            return said
        count = torch.tensor(int(said))
        self.sum([count])
        return bool(count)

    def from_first(self, ask: Callable[[], Value]) -> Value:
        """What the first process answers, in all of them; the others do not ask.

        What it answers can be pickled, and has its tensors on the CPU.  Raises Lost.
        """
        if self.size == 1:
            return ask()
        answer = [ask() if self.is_first else None]
        with _telling():
            dist.broadcast_object_list(answer, src=0, device=torch.device("cpu"))
        value: Value = answer[0]  # type: ignore[assignment]  # None was replaced
        return value


ALONE = Ranks()


def _parts(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Tensors of one dtype and device together, about _AT_ONCE values each."""
    parts: list[list[Tensor]] = []
    last: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for one in tensors:
        kind = (one.dtype, one.device)
        part = last.get(kind, [])
        if not part or sum(other.numel() for other in part) + one.numel() > _AT_ONCE:
            last[kind] = part = []
            parts.append(part)
        part.append(one)
    return parts


@contextmanager
def _telling() -> Iterator[None]:
    """What torch says of a connection that broke, in words."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(
            "another process of this run has ended, or cannot be reached any more: "
            f"{str(error).strip().splitlines()[-1]}"
        ) from error
