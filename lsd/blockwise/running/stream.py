"""Blocks one after another, where the next is read and the last is written while one is
computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lsd.blockwise.on_disk.grid import Block

Read = TypeVar("Read")
Computed = TypeVar("Computed")


def stream(
    blocks: Iterable[Block],
    compute: Callable[[Read], Computed],
    *,
    read: Callable[[Block], Read],
    write: Callable[[Block, Computed], object],
) -> Iterator[Block]:
    """Yields each block once it is written, in order.

    Computes in the thread that iterates; reads and writes in one thread each.  At most two blocks
    are in memory on either side.  The first error ends the stream and is raised here, after what
    was already computed is written.
    """
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        written: Future[Block] | None = None
        for block, source in _ahead(blocks, read, reader):
            computed = compute(source)
            if written:
                yield written.result()
            written = writer.submit(_written, write, block, computed)
        if written:
            yield written.result()


def _ahead(
    blocks: Iterable[Block], read: Callable[[Block], Read], reader: ThreadPoolExecutor
) -> Iterator[tuple[Block, Read]]:
    """Blocks with what was read for them; the next read is under way when one is handed out."""
    upcoming: tuple[Block, Future[Read]] | None = None
    for block in blocks:
        current, upcoming = upcoming, (block, reader.submit(read, block))
        if current:
            yield current[0], current[1].result()
    if upcoming:
        yield upcoming[0], upcoming[1].result()


def _written(write: Callable[[Block, Computed], object], block: Block, computed: Computed) -> Block:
    write(block, computed)
    return block
