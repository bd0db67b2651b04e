"""What is done with a block, and what comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block

Arrays = Mapping[str, NDArray[Any]]
Rows = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Output:
    """What a block gives: its part of each of the step's arrays, (c?, *block.write.shape), and rows
    of the step's table."""

    arrays: Arrays = field(default_factory=dict)
    rows: Rows | None = None

    def digest(self) -> int:
        """64 bits of a hash of all of it, which the ledger notes and `verify` computes again."""
        content = hashlib.blake2b(digest_size=8)
        for name in sorted(self.arrays):
            content.update(
                np.ascontiguousarray(self.arrays[name]).data.cast("B")
                if self.arrays[name].size
                else b""
            )
        if self.rows is not None:
            content.update(self.rows.tobytes())
        return int.from_bytes(content.digest(), "little")


class Function(Protocol):
    """What is done with a block.  Two blocks are under way at once, each in a thread of its own:
    one alone is computed at a time, but two may be read."""

    def read(self, block: Block) -> Any:
        """All that the block needs from disk."""

    def compute(self, block: Block, source: Any) -> Output:
        """The block's output from what `read` gave: the same wherever, whenever and in whatever
        order it is called."""
