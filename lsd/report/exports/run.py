"""Exports of a run: every volume in every format that is asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from lsd.blockwise.running.checked import check_workers
from lsd.report.corrected import is_of_now
from lsd.report.exports.exporter import ExportedVolume, Running, exporter_of
from lsd.segmentation.decoders.decoder import chosen_threshold
from lsd.spec import Config
from lsd.spec.exports import Export
from lsd.volumes.find import expand

log = logging.getLogger(__name__)


def export(
    config: Config, settings: Export, *, progress: Callable[[str], object] = log.info
) -> list[Path]:
    """Writes volumes of a run for other programs, below runs/<name>/export/<volume>; returns what
    people open.

    Blocks are done by settings.workers, and what is done stays done: stopped, the same call goes
    on.  progress: called with a line about what was done.
    Raises ValueError where a volume has no segmentation, or one that is not what the config would
    give, where no threshold is named or picked, and there are several, and where one is named of a
    decoder that has none; BlocksFailed where blocks failed.
    """
    return [
        file
        for volume in exported_volumes(config, settings, progress=progress)
        for spec in settings.formats
        for file in exporter_of(spec).write(volume)
    ]


def exported_volumes(
    config: Config, settings: Export, *, progress: Callable[[str], object] = log.info
) -> list[ExportedVolume]:
    """The volumes that are exported.  Raises ValueError as `export` does."""
    config = expand(config)
    check_workers(settings.workers, section="export")
    threshold = chosen_threshold(config, settings.threshold, field="the threshold (--threshold)")
    names = config.dataset.named(settings.volumes or config.predict.volumes)
    for name in names if "corrected" in settings.images else ():
        is_of_now(config, name)
    return [
        ExportedVolume(
            config=config,
            wanted=settings.images,
            threshold=threshold,
            running=Running(name, settings.workers, progress),
        )
        for name in names
    ]
