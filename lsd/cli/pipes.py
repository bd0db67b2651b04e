"""Standard output that somebody stops reading, as `head` does."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# the exit status of a program that SIGPIPE ended, as shells report it
_ENDED_BY_THE_READER = 141


@contextmanager
def may_be_closed() -> Iterator[None]:
    """Inside, whoever reads what is printed may stop reading: the program then ends without a
    word."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not is_closed():
            raise
        # Python flushes once more at its end, and would say that it cannot
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_ENDED_BY_THE_READER)


def is_closed() -> bool:
    """Whether nobody reads standard output any more."""
    output = select.poll()
    try:
        output.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        # no file: it was replaced by an object that only looks like one
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))
