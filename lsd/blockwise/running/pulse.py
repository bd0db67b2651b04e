"""Signs of life of a worker on this machine, to the process that started it: see `crew`.

A byte each second, and one whenever a block is taken or given back, which says whether a block is
in hand.  Nothing that computes is imported here, so that signs come from the first moment on.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

IDLE, BUSY = b".", b"#"
_EVERY = 1.0


class Pulse:
    """Writes to a pipe whether blocks are in hand."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._held, self._noting = descriptor, 0, threading.Lock()
        os.set_inheritable(descriptor, False)
        # whoever is to read them may be frozen
        os.set_blocking(descriptor, False)
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Inside, a block is in hand."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        with self._noting:
            self._held += by
        self._beat()

    def _beat(self) -> None:
        with suppress(OSError):
            os.write(self._descriptor, BUSY if self._held else IDLE)

    def _run(self) -> None:
        while True:
            self._beat()
            time.sleep(_EVERY)


_pulse: Pulse | None = None


@contextmanager
def holding() -> Iterator[None]:
    """Inside, a block is in hand; whoever started this process is told, if it listens."""
    if _pulse is None:
        yield
        return
    with _pulse.holding():
        yield


def main(descriptor: int, modules: Mapping[str, str]) -> None:
    """What a process of a crew runs: what comes on stdin, with signs of life on `descriptor`.

    modules: those that define kinds, see `lsd.spec.kinds.imported`
    """
    global _pulse
    # Ctrl-C on a terminal reaches all its processes; the first of them ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _pulse = Pulse(descriptor)
    from lsd.spec.kinds import take_over

    take_over(modules)
    pickle.load(sys.stdin.buffer)()
