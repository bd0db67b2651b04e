"""Exports of a run: every volume in every format that is asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
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
    give, or not all images that are asked for, where no threshold is named or picked, and there are
    several, and where one is named of a decoder that has none; BlocksFailed where blocks failed.
    """
    volumes = exported_volumes(config, settings, progress=progress)
    _check_images(volumes, settings.images)
    return [
        file
        for volume in volumes
        for spec in settings.formats
        for file in exporter_of(spec).write(volume)
    ]


def _check_images(volumes: Sequence[ExportedVolume], images: Sequence[str]) -> None:
    """Raises ValueError where one of several volumes has no such image, before any is exported."""
    for name in images:
        with_it = [volume.name for volume in volumes if volume.has(name)]
        without = [volume for volume in volumes if volume.name not in with_it]
        if with_it and without:
            raise ValueError(
                f"of the volumes that are exported, {', '.join(with_it)} "
                f"{'has' if len(with_it) == 1 else 'have'} {name!r}, and "
                f"{', '.join(volume.name for volume in without)} not; export those that have it, "
                f"with the volumes (--volumes) {','.join(with_it)}, or leave {name!r} out"
            )
        for volume in without:
            volume.image(name)


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
