"""Ctrl-C and SIGTERM end training after the step that is under way, so that a checkpoint can be
written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether, and by which signal, the run was asked to stop: its own, or one to another process
    that shares the run."""

    def __init__(self) -> None:
        self.signal: str | None = None
        self._received = False

    def __bool__(self) -> bool:
        return self.signal is not None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # the second signal means: now; that of another process, which all are sent, is none
        if self._received:
            raise KeyboardInterrupt
        self._received = True
        self.signal = signal.Signals(number).name


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Inside, the first signal only sets the Interrupt; a second one raises KeyboardInterrupt at
    once."""
    interrupt = Interrupt()
    # python lets no other thread set handlers
    signals = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    handlers = {number: signal.signal(number, interrupt._receive) for number in signals}
    try:
        yield interrupt
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
