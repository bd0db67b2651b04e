"""Segmentation of a run's volumes: predictions from disk, segmentations to disk, block by block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsd.blockwise.on_disk.container import working
from lsd.blockwise.running.checked import check_workers
from lsd.prediction.config_file import keep_config
from lsd.prediction.usage_file import noting_usage
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.empty import why_no_segments
from lsd.segmentation.mask import mask_of
from lsd.segmentation.over_blocks.inputs import Inputs, open_mask
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.predicted import PredictedHead, head_input, open_heads
from lsd.segmentation.sections import settings_for
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
    """A predicted volume, ready to be segmented; by_image: its sections are images of their own."""

    config: Config
    name: str
    heads: Mapping[str, PredictedHead]
    thresholds: tuple[float, ...]
    inputs: Inputs
    by_image: bool = False

    @property
    def prediction(self) -> Array:
        """The first of the heads; all have the same grid."""
        return next(iter(self.heads.values())).array


@noting_usage("segment")
def segment(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments every volume of predict.volumes from its predicted heads; returns the containers, in
    that order.

    runs/<name>/segmentation/<volume>.zarr holds `fragments` and `segmentation/<threshold>`, or
    `segmentation/<decoder>` of a decoder without thresholds; in it, blocks/edges the region graph
    and tables/<threshold>.npy the segment of each fragment.  A volume with truth gets every
    threshold of the config, one without the threshold that validation picked, if there is one; so
    does one with skeletons alone where fragments and edges say all the others.

    Blocks of segment.block voxels, done by segment.workers; neither their number nor an
    interruption changes a value, the size of blocks and their context do a little.  What is done
    stays done: thresholds that are not there yet are written beside those that are.  A volume's
    earlier results stay until new fragments are whole; what is removed then is logged.  The mutex
    decoder takes a volume whole.  progress: called with a line about what was done.

    Raises ValueError if a prediction is missing, or a head is not what the decoder reads;
    BlocksFailed where blocks failed.
    """
    config = expand(config)
    check_workers(config.segment.workers, section="segment")
    volumes = config.dataset.named(config.predict.volumes)
    tasks = [
        task_of(config, name, volume, thresholds=_thresholds(config, volume))
        for name, volume in volumes.items()
    ]
    keep_config(config, sections=("segment",))
    return [segment_volume(task, progress=progress) for task in tasks]


def task_of(config: Config, name: str, volume: Volume, *, thresholds: Iterable[float]) -> Task:
    """A volume, ready to be segmented at some thresholds.  Raises ValueError where that cannot
    be."""
    predicted, revision = open_heads(config, name), config.segment.revision
    first = next(iter(predicted.values())).array
    heads = {head: head_input(each, revision=revision) for head, each in predicted.items()}
    mask = mask_of(config, name, roi=first.roi)
    raw = [locate(volume.path, root=data_root(config))] if volume.path else []
    sources = [first.source.path, *raw, *(mask.containers() if mask else [])]
    refuse_same(segmentation(config, name), sources)
    settings = settings_for(config.segment, volume, calibrated=first.calibrated)
    inputs = Inputs(settings, first.roi, heads, mask)
    by_image = volume.images is not None
    return Task(config, name, predicted, tuple(sorted({*thresholds})), inputs, by_image=by_image)


def _thresholds(config: Config, volume: Volume) -> tuple[float, ...]:
    # of fragments and edges any threshold is read; what is not joined of them has to be there
    by_skeletons = volume.skeletons is not None and not decoder_of(config.segment).has_region_graph
    alone = picked(config) if volume.labels is None and not by_skeletons else None
    return config.segment.thresholds if alone is None else (alone,)


def segment_volume(task: Task, *, progress: Progress = log.info) -> Path:
    """Segments a volume, as far as that is not done yet; returns the container."""
    config, target = task.config, segmentation(task.config, task.name)
    decoder = decoder_of(config.segment)
    with working(target, decoder.first(task.inputs, target)) as container:
        running = Running(
            name=task.name,
            container=container,
            prediction=task.prediction,
            by_image=task.by_image,
            settings=config.segment,
            attributes=scoring_settings(config.segment),
            progress=progress,
        )
        if not decoder.write(task.inputs, running, task.thresholds):
            log.warning("%s: no %s: %s", task.name, decoder.pieces, _why_empty(task))
    return target


def _why_empty(task: Task) -> str:
    # a threshold that was picked or asked for may be one of those of the config, or none of them
    inputs, settings = task.inputs, task.config.segment.derive(thresholds=task.thresholds)
    mask = open_mask(inputs.mask, task.prediction)
    return why_no_segments(task.heads, decoder_of(settings), settings, mask=mask)
