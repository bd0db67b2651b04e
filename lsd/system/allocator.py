"""Memory that a pass of a network gives back is kept for the next, which asks for the same
again."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache

# options of mallopt, as malloc.h of glibc numbers them
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8
STEP = 64 * 2**20
NEVER = -1


@cache
def keep_freed_memory() -> bool:
    """Asks the C library not to return freed memory to the system, for the rest of this process;
    gives whether it will.

    By default each large buffer is mapped anew and its pages are filled with zeros at first touch:
    on a CPU, a fifth of a training step.  Only glibc is asked; elsewhere nothing changes.  A
    process holds its peak until it ends, so this is for programs that predict or train, not for a
    library to do on import.  To be called as early as `one_arena`.
    """
    return one_arena() and _set({MMAP_MAX: 0, TRIM_THRESHOLD: NEVER, TOP_PAD: STEP})


@cache
def one_arena() -> bool:
    """Asks the C library for one arena, which all threads share; gives whether it will be so.

    In any other, what is larger than 64 MB is mapped anew each time, whatever was asked for.  To be
    called before another thread asks for memory: an arena that is there stays, and threads that
    begin later may be given it.
    """
    return _set({ARENA_MAX: 1})


def _set(options: Mapping[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (
        AttributeError,
        OSError,
        TypeError,
    ):  # another C library; Windows has no handle of its own
        return False
    return all(mallopt(option, value) == 1 for option, value in options.items())
