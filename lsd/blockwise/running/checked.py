"""Whether the settings of workers have an effect, before anything runs."""

from __future__ import annotations

import logging

from lsd.blockwise.running.submit import PRESETS
from lsd.spec import Workers

log = logging.getLogger(__name__)


def check_workers(workers: Workers, *, section: str) -> None:
    """Raises ValueError, or warns, where settings of workers would have no effect.

    section: of the config that they stand in, for messages
    """
    place = f"{section}.workers"
    if workers.launch and not workers.count:
        raise ValueError(
            f"{place}.launch is set, but not how many workers; set {place}.count, or --workers N "
            f"on the command line"
        )
    idle = {
        "options": bool(workers.options) and not _uses_options(workers),
        "host": workers.host is not None and not workers.count,
    }
    for field in (field for field in idle if idle[field]):
        log.warning(
            "%s.%s has no effect here: it is for workers that a cluster starts; see %s.launch "
            "and %s.count",
            place,
            field,
            place,
            place,
        )


def _uses_options(workers: Workers) -> bool:
    return workers.launch in PRESETS or "{options}" in (workers.launch or "")
