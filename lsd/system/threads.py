"""How threads wait for each other."""

from __future__ import annotations

import os


def sleep_where_idle() -> None:
    """Asks OpenMP, by which torch computes on a CPU, that threads which wait for others sleep, in
    this process and those that it starts.

    By default they spin, so that they go on a little sooner.  That is right where nobody else wants
    the cores; but beside processes that make batches, a thread that waits for one which was
    interrupted keeps that one's core busy: a training step of descriptors and affinities on two
    cores takes 1.2 times as long, and half more of the processor.  Only what is loaded afterwards
    listens, so this comes before torch is imported.  What the environment says already stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
