"""Silence for compiled code that writes to the standard output."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator

_LOCK = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing written inside reaches the standard output, whether by Python or by C++ (file
    descriptor 1).

    Descriptors belong to the whole process, so only one thread is inside at a time, and what
    another thread prints meanwhile is lost too: keep what is inside short.  The standard error,
    where progress and logs go, is left alone.
    """
    with _LOCK, contextlib.redirect_stdout(io.StringIO()), _descriptor_to_null(1):
        yield


@contextlib.contextmanager
def _descriptor_to_null(descriptor: int) -> Iterator[None]:
    try:
        kept = os.dup(descriptor)
    except OSError:  # closed, as in a daemon: nothing can be written anyway
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(null)
        os.close(kept)
