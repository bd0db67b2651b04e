"""Segmentation of a run's volumes: predictions from disk, segmentations to disk, block by block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsd.blockwise.on_disk.container import working
from lsd.prediction.kept import keep_config
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.mask import mask_of
from lsd.segmentation.nothing import why
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs, open_mask
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.predicted import neighborhoods, predicted, prediction_input
from lsd.segmentation.threshold import picked, scoring_settings
from lsd.spec import Config, Volume
from lsd.spec.paths import data_root, segmentation
from lsd.volumes.array import Array
from lsd.volumes.create import refuse_same
from lsd.volumes.find import expand
from lsd.volumes.reference import locate

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


@dataclass(frozen=True)
class Task:
    """A predicted volume, ready to be segmented."""

    config: Config
    name: str
    predictions: Mapping[str, Array]
    thresholds: tuple[float, ...]
    inputs: Inputs

    @property
    def prediction(self) -> Array:
        """The first of the heads, whose grid all have."""
        return next(iter(self.predictions.values()))


def segment(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments every volume of predict.volumes from its predicted heads; returns the containers, in
    that order.

    runs/<name>/segmentation/<volume>.zarr holds `fragments` and `segmentation/<threshold>`, or
    `segmentation/<decoder>` of a decoder without thresholds; in it, blocks/edges the region graph
    and tables/<threshold>.npy the segment of each fragment.  A volume with truth gets every
    threshold of the config, one without the threshold that validation picked, if there is one.

    Blocks of segment.block voxels, done by segment.workers; neither their number nor an
    interruption changes a value, the size of blocks and their context do a little.  What is done
    stays done: thresholds that are not there yet are written beside those that are.  A volume's
    earlier results stay until new fragments are whole; what goes then is said.  The mutex decoder
    takes a volume whole.  progress: told in a line what was done.

    Raises ValueError if a prediction is missing, or a head is not what the decoder reads;
    BlocksFailed where blocks failed.
    """
    config = expand(config)
    # what the decoder reads, before any volume is opened
    neighborhoods(config)
    volumes = config.dataset.named(config.predict.volumes)
    tasks = [_task(config, name, volume) for name, volume in volumes.items()]
    keep_config(config)
    return [_segment(task, progress) for task in tasks]


def _task(config: Config, name: str, volume: Volume) -> Task:
    predictions, offsets = predicted(config, name), neighborhoods(config)
    first = next(iter(predictions.values()))
    own = [locate(volume.path, root=data_root(config))] if volume.path else []
    revision = config.segment.revision
    heads = {
        head: HeadInput(prediction_input(array, revision=revision), offsets[head])
        for head, array in predictions.items()
    }
    mask = mask_of(config, name, roi=first.roi)
    refuse_same(
        segmentation(config, name), [first.source.path, *own, *(mask.containers() if mask else [])]
    )
    inputs = Inputs(config.segment, first.roi, heads, mask)
    return Task(config, name, predictions, _thresholds(config, volume), inputs)


def _thresholds(config: Config, volume: Volume) -> tuple[float, ...]:
    alone = picked(config) if volume.labels is None else None
    return tuple(sorted(set(config.segment.thresholds))) if alone is None else (alone,)


def _segment(task: Task, progress: Progress) -> Path:
    config, target = task.config, segmentation(task.config, task.name)
    decoder = decoder_of(config.segment)
    with working(target, decoder.first(task.inputs, target)) as container:
        running = Running(
            name=task.name,
            container=container,
            prediction=task.prediction,
            settings=config.segment,
            attributes=scoring_settings(config.segment),
            progress=progress,
        )
        if not decoder.write(task.inputs, running, task.thresholds):
            log.warning("%s: no %s: %s", task.name, decoder.pieces, _why_nothing(task))
    return target


def _why_nothing(task: Task) -> str:
    inputs, settings = task.inputs, task.config.segment
    offsets = {name: head.neighborhood for name, head in inputs.heads.items()}
    mask = open_mask(inputs.mask, task.prediction)
    return why(task.predictions, offsets, decoder_of(settings), settings, mask=mask)
