"""Segmentation of a run's volumes: predictions from disk, fragments, tables and segmentations to disk."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.decode import Decoded, decode
from lsd.segmentation.lookup import relabel
from lsd.segmentation.results import FRAGMENTS, MUTEX, digest, graph_columns, save_tables
from lsd.segmentation.threshold import array_name, picked, scoring_settings
from lsd.spec import Affinities, Config, Volume
from lsd.spec.paths import data_root, prediction, segmentation, tables
from lsd.targets.offsets import for_dims
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.create import create_array
from lsd.volumes.find import expand
from lsd.volumes.volume import open_volume

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


def segment(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments every volume of predict.volumes from its predicted affinities; returns the containers, in that order.

    runs/<name>/segmentation/<volume>.zarr holds `fragments` and `segmentation/<threshold>`, or `segmentation/mutex`;
    <volume>.npz beside it the region graph (nodes, edges, scores) and a table of segments for each threshold.  A volume
    with truth gets every threshold of the config, one without the threshold that validation picked, if there is one.
    A volume's earlier results stay until the new ones are whole.  progress: told in a line what was done.

    Raises ValueError if a prediction is missing or the config's head holds no affinities.
    """
    config = expand(config)
    neighborhood = _neighborhood(config)
    return [
        _segment(config, name, volume, neighborhood, progress)
        for name, volume in config.dataset.named(config.predict.volumes).items()
    ]


def _neighborhood(config: Config) -> tuple[tuple[int, ...], ...]:
    heads, head = config.variant.heads(), config.segment.affinities
    target = heads[head].target if head in heads else None
    if not isinstance(target, Affinities):
        there = [name for name, other in heads.items() if isinstance(other.target, Affinities)]
        raise ValueError(f"segment.affinities names {head!r}; heads with affinities: {', '.join(there) or 'none'}")
    return for_dims(target.neighborhood, config.network.dims)


def _segment(config: Config, name: str, volume: Volume, neighborhood: Sequence[Sequence[int]], progress: Progress) -> Path:
    affs = _prediction(config, name)
    first = affs.offset[0] if affs.roi.dims == 3 else 0
    decoded = decode(
        affs.read(affs.roi), neighborhood, config.segment, mask=_mask(config, name, volume, affs), first_section=first
    )
    progress(f"{name}: {len(decoded.nodes) - 1} fragments, {len(decoded.edges)} edges in {text(affs.roi)}")
    return _write(config, name, _thresholds(config, volume), affs, decoded, progress)


def _prediction(config: Config, name: str) -> Array:
    path, head = prediction(config, name), config.segment.affinities
    if not path.exists():
        raise ValueError(f"there is no prediction of volume {name!r} at {path}; run predicter.py first")
    affs = open_array(path, head)
    if affs.channels is None:
        raise ValueError(f"{affs.name} has axes {' '.join(affs.axes)}; affinities need a channel for each offset")
    return affs


def _mask(config: Config, name: str, volume: Volume, affs: Array) -> NDArray[Any] | None:
    if not config.segment.use_mask:
        return None
    mask = open_volume(volume, name=name, data_root=data_root(config)).labels_mask
    if mask is None:
        raise ValueError(f"segment.use_mask is set, but volume {name!r} has no labels_mask; name its array, or unset it")
    return np.asarray(mask.read(affs.roi, beyond="zero") != 0)


def _thresholds(config: Config, volume: Volume) -> tuple[float, ...]:
    alone = picked(config) if volume.labels is None else None
    return config.segment.thresholds if alone is None else (alone,)


def _write(config: Config, name: str, thresholds: Sequence[float], affs: Array, decoded: Decoded, progress: Progress) -> Path:
    target, graph = segmentation(config, name), tables(config, name)
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    columns = graph_columns(decoded)
    made_by = {"settings": scoring_settings(config), "graph": digest(columns)}

    def save(what: str, data: NDArray[np.uint64]) -> None:
        array = create_array(partial, what, roi=affs.roi, voxel_size=affs.voxel_size, dtype=np.uint64, attributes=made_by)
        array.write(data, affs.roi)

    if config.segment.decoder == "mutex":
        save(MUTEX, decoded.fragments)
    else:
        save(FRAGMENTS, decoded.fragments)
        for threshold in sorted(set(thresholds)):
            columns[array_name(threshold)] = decoded.table(threshold)
            save(array_name(threshold), relabel(decoded.fragments, decoded.nodes, columns[array_name(threshold)]))
            count = len(np.unique(columns[array_name(threshold)])) - 1
            progress(f"{name}: {count} segments at threshold {threshold}")
    save_tables(graph, columns)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)
    return target
