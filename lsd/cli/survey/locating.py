"""What locating would do."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.blockwise.on_disk.inspect import status
from lsd.cli.survey import segmentation
from lsd.objects.run import check_decoder, chosen_threshold
from lsd.objects.tables import check_writable, read_located
from lsd.spec import Config
from lsd.spec.paths import located, run_folder
from lsd.spec.plurals import counted
from lsd.volumes.find import expand


def survey(config: Config, shared: bool) -> Iterator[str]:
    """What is segmented before, at which threshold, and which steps and tables there are."""
    config = expand(config)
    check_decoder(config)
    threshold = chosen_threshold(config)
    at_threshold = config.derive(segment={"thresholds": (threshold,)})
    *lines, last = segmentation.survey(at_threshold, shared)
    yield from lines
    for name in config.dataset.named(config.predict.volumes):
        yield from _volume(config, name, threshold)
    yield last


def _volume(config: Config, name: str, threshold: float) -> Iterator[str]:
    path, settings = located(config, name), config.locate
    check_writable(path)
    sizes = f"at least {settings.min_size} voxels" if settings.min_size else "any size"
    if settings.max_size is not None:
        sizes = f"{settings.min_size} to {settings.max_size} voxels"
    yield f"{name}: objects of {sizes} at threshold {threshold:g}, listed in {path}"
    container = run_folder(config) / "located" / name
    for step in status(container) if (container / "blocks").exists() else []:
        running = f", {step.running}" if step.running else ""
        yield f"  {step.name}: {step.done} of {counted(step.blocks, 'block')} done{running}"
    if path.exists():
        yield f"  there is a table of {counted(len(read_located(path)), 'object')}"
