"""What segmentation would do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from funlib.geometry import Roi

from lsd.blockwise.on_disk.container import partial_of
from lsd.blockwise.on_disk.inspect import Status, status
from lsd.cli.survey.words import about, amount, made_anew, times
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.predicted import PredictedHead, channels_read, open_heads
from lsd.segmentation.results import other_than_asked
from lsd.spec import Config, Segment
from lsd.spec.paths import prediction, segmentation
from lsd.spec.plurals import counted
from lsd.volumes.array import text
from lsd.volumes.find import expand

# voxels an axis of the piece that is segmented to see how long it takes
_PIECE = 64


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Of each volume what it is segmented from, blocks, and which steps are done."""
    config = expand(config)
    settings = config.segment
    wanted = (
        f", {counted(len(set(settings.thresholds)), 'threshold')}"
        if decoder_of(settings).has_thresholds
        else ""
    )
    heads = ", ".join(decoder_of(settings).reads(settings))
    _refuse_other_heads(config)
    yield (
        f"decoder {settings.decoder.kind} reads {heads}{wanted}; "
        f"{counted(settings.workers.count or 1, 'process')}"
    )
    for name in config.dataset.named(config.predict.volumes):
        try:
            predicted = open_heads(config, name)
        except ValueError as error:
            if prediction(config, name).exists():
                raise
            yield f"{name}: {error}"
            continue
        yield from _volume(config, name, predicted)
    yield "nothing was changed"


def _refuse_other_heads(config: Config) -> None:
    """ValueError where neither the variant nor a prediction can have what the decoder reads."""
    names = config.dataset.named(config.predict.volumes)
    if not any(prediction(config, name).exists() for name in names):
        channels_read(config.variant.heads(), config.segment, dims=config.network.dims)


def _volume(config: Config, name: str, predicted: Mapping[str, PredictedHead]) -> Iterator[str]:
    arrays = {head: each.array for head, each in predicted.items()}
    roi = next(iter(arrays.values())).roi
    block = config.segment.block[-roi.dims :]
    count = math.prod(-(-n // b) for n, b in zip(roi.shape, block, strict=True))
    heads = ", ".join(f"{head} {times(a.shape)} {a.dtype}" for head, a in arrays.items())
    yield (
        f"{name}: {heads}, {text(roi)}; {counted(count, 'block')} of at most {times(block)}; each "
        f"segmentation takes {amount(8 * math.prod(roi.shape))} before compression"
    )
    container = _container(segmentation(config, name))
    steps = _steps(container)
    for step in steps:
        running = f", {step.running}" if step.running else ""
        yield f"  {step.name}: {step.done} of {counted(step.blocks, 'block')} done{running}"
    if not steps:
        yield "  no step is begun"
    differences = other_than_asked(config, name, container) if any(s.done for s in steps) else []
    is_partial = container != segmentation(config, name)
    other = made_anew(differences, is_partial=is_partial)
    if other:
        yield f"  {other}"
    if other or not steps or any(step.done < step.blocks for step in steps):
        yield f"  {_how_long(config.segment, predicted, roi)}"


def _container(target: Path) -> Path:
    """The one that is worked on; one that is whole has all steps done."""
    return partial_of(target) if partial_of(target).exists() else target


def _steps(container: Path) -> list[Status]:
    return status(container) if container.exists() and any(container.rglob("step.json")) else []


def _how_long(settings: Segment, predicted: Mapping[str, PredictedHead], roi: Roi) -> str:
    shape = [min(n, _PIECE) for n in roi.shape]
    begin = [b + (n - s) // 2 for b, n, s in zip(roi.begin, roi.shape, shape, strict=True)]
    decoder = decoder_of(settings)
    heads = {name: head.read(Roi(begin, shape)) for name, head in predicted.items()}
    thresholds = sorted(set(settings.thresholds))
    # once before, since kernels are compiled when they are first called
    list(decoder.decode(heads, settings).parts(thresholds))
    since = time.perf_counter()
    list(decoder.decode(heads, settings).parts(thresholds))
    rate = math.prod(shape) / (time.perf_counter() - since)
    seconds = math.prod(roi.shape) / rate / max(settings.workers.count, 1)
    return f"{about(seconds)} from the start: a guess, from a piece that was segmented now"
