"""What segmentation would do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

from funlib.geometry import Roi

from lsd.blockwise.on_disk.container import beside
from lsd.blockwise.on_disk.inspect import Status, status
from lsd.cli.survey.words import amount, blocks, duration, processes, times
from lsd.segmentation.decode import decode
from lsd.segmentation.predicted import neighborhood, predicted
from lsd.spec import Config
from lsd.spec.paths import segmentation
from lsd.volumes.array import Array, text
from lsd.volumes.find import expand

# voxels an axis of the piece that is segmented to see how long it takes
_PIECE = 64


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Of each volume its affinities, blocks, and which steps are done."""
    config = expand(config)
    settings = config.segment
    yield (
        f"decoder {settings.decoder}, {len(set(settings.thresholds))} thresholds, "
        f"{processes(settings.workers.count or 1)}"
    )
    neighborhood(config)
    for name in config.dataset.named(config.predict.volumes):
        try:
            affs = predicted(config, name)
        except ValueError as error:
            yield f"{name}: {error}"
            continue
        yield from _volume(config, name, affs)
    yield "nothing was changed"


def _volume(config: Config, name: str, affs: Array) -> Iterator[str]:
    block = config.segment.block[-affs.roi.dims :]
    count = math.prod(-(-n // b) for n, b in zip(affs.roi.shape, block, strict=True))
    voxels, where = math.prod(affs.roi.shape), text(affs.roi)
    yield (
        f"{name}: affinities {times(affs.shape)} {affs.dtype}, {where}; {blocks(count)} of "
        f"at most {times(block)}; each segmentation takes {amount(8 * voxels)} before compression"
    )
    steps = _steps(segmentation(config, name))
    for step in steps:
        running = f", {step.running}" if step.running else ""
        yield f"  {step.name}: {step.done} of {blocks(step.blocks)} done{running}"
    if not steps:
        yield "  no step is begun"
    if not steps or any(step.done < step.blocks for step in steps):
        yield f"  {_how_long(config, affs)}"


def _steps(target: Path) -> list[Status]:
    """Of the container that is worked on; one that is whole has all steps done."""
    container = beside(target) if beside(target).exists() else target
    return status(container) if container.exists() and any(container.rglob("step.json")) else []


def _how_long(config: Config, affs: Array) -> str:
    shape = [min(n, _PIECE) for n in affs.roi.shape]
    begin = [
        b + (n - s) // 2 for b, n, s in zip(affs.roi.begin, affs.roi.shape, shape, strict=True)
    ]
    piece = affs.read(Roi(begin, shape))
    decode(piece, neighborhood(config), config.segment)
    since = time.perf_counter()
    decode(piece, neighborhood(config), config.segment)
    rate = math.prod(shape) / (time.perf_counter() - since)
    seconds = math.prod(affs.roi.shape) / rate / max(config.segment.workers.count, 1)
    return f"about {duration(seconds)} from the start: a guess, from a piece that was segmented now"
