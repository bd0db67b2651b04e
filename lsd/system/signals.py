"""Ctrl-C and SIGTERM while something is put away that must not be left half done, or the scheduler
has the main thread."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_back() -> Iterator[None]:
    """Inside, signals only wait: the first of them does its work at the end.  For what takes a
    moment."""
    if threading.current_thread() is not threading.main_thread():
        # signals interrupt the main thread only
        yield
        return
    received: list[int] = []
    before = _handle(lambda number, _: received.append(number))
    try:
        yield
    finally:
        _restore(before)
        for number in received[:1]:
            signal.raise_signal(number)


class Relay:
    """Passes signals on to a scheduler that has the main thread, and a handler of its own for
    SIGINT; see `relayed`.

    received: whether one has come
    """

    def __init__(self) -> None:
        self.received = False
        self._mine, self._its = os.pipe()
        for end in (self._mine, self._its):
            os.set_blocking(end, False)

    def begin(self) -> None:
        """To be called in the main thread when the scheduler has set its handler."""
        # notes that one has come, and passes it on: the scheduler forgets those that come while it
        # ends
        faulthandler.register(signal.SIGINT, file=self._its, all_threads=False, chain=True)
        if self.received:
            os.kill(os.getpid(), signal.SIGINT)

    def end(self) -> None:
        """To be called in the main thread before the scheduler sets the handler back."""
        faulthandler.unregister(signal.SIGINT)

    def hear(self, number: int, _: FrameType | None) -> None:
        """The handler: notes that a signal has come."""
        self.received = True

    def close(self) -> None:
        """Looks once more whether a signal has come, and closes the pipe."""
        self.end()
        with suppress(BlockingIOError):
            self.received |= bool(os.read(self._mine, 1))
        os.close(self._mine)
        os.close(self._its)


@contextmanager
def relayed() -> Iterator[Relay | None]:
    """Inside, Ctrl-C and SIGTERM end the scheduler, and nothing else; KeyboardInterrupt is raised
    at the end, if one came.

    None in another thread than the main one, which no signal interrupts.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    relay = Relay()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    listener = threading.Thread(target=_interrupt, args=(reader,), name="relay", daemon=True)
    listener.start()
    before = _handle(relay.hear)
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield relay
    finally:
        signal.set_wakeup_fd(wakeup)
        relay.close()
        _restore(before)
        writer.close()
        listener.join()
        reader.close()
    if relay.received:
        raise KeyboardInterrupt


def _interrupt(reader: socket.socket) -> None:
    """Sends SIGINT for each SIGTERM that arrives, until the other end is closed; Python's own
    handlers would wait."""
    while number := reader.recv(1):
        if number[0] == signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGINT)


def _handle(handler: Callable[[int, FrameType | None], object]) -> dict[signal.Signals, Any]:
    return {number: signal.signal(number, handler) for number in SIGNALS}


def _restore(before: dict[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        # None: set by something else than Python, which cannot be set again from here
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
