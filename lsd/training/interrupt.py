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
    """Whether, and by which signal, the run was asked to stop."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # the second signal means: now
        if self:
            raise KeyboardInterrupt
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
