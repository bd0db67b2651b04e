"""Ctrl-C and SIGTERM while something is put away that must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_back() -> Iterator[None]:
    """Inside, signals only wait: the first of them does its work at the end.  For what takes a moment."""
    if threading.current_thread() is not threading.main_thread():
        # signals interrupt the main thread only
        yield
        return
    heard: list[int] = []
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: set by something else than Python, which cannot be set again from here
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for came in heard[:1]:
            signal.raise_signal(came)
