"""Seconds of a step of a run."""

from __future__ import annotations

import time
from collections.abc import Callable

from lsd.spec import Config
from lsd.spec.paths import run_folder


def seconds_of(step: Callable[[Config], object], config: Config, *, makes: str) -> float | None:
    """Seconds that a step takes; None where its folder, runs/<name>/<makes>, was there before: it
    only goes on then, and takes as long as what was missing."""
    was_there, since = (run_folder(config) / makes).exists(), time.perf_counter()
    step(config)
    return None if was_there else time.perf_counter() - since
