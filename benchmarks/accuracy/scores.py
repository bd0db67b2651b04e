"""Scores along the skeletons of a synthetic volume, which its generator knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsd.evaluation.scores import Evaluation
from lsd.evaluation.skeletons import Skeletons, expected_run_length, labels_at
from lsd.segmentation.results import open_results
from lsd.spec import Config, Synthetic
from lsd.spec.paths import data_root
from lsd.synthetic import skeletons
from lsd.system.atomic import replacing
from lsd.volumes.generated import path

# nodes; one stray node spoils two neurons otherwise
TOLERANCE = 5


def along_skeletons(config: Config, evaluation: Evaluation) -> dict[str, float | None]:
    """Scores of the test volume at the threshold that validation picked; lengths in um."""
    [(name, volume)] = config.dataset.part("test").items()
    assert volume.synthetic is not None, "who made the volume knows its skeletons"
    lines = kept_skeletons(volume.synthetic, data_root(config))
    found = {
        tolerance: expected_run_length(
            lines, segments_at(lines, config, name, evaluation.threshold), tolerance=tolerance
        )
        for tolerance in (0, TOLERANCE)
    }
    strict, tolerant = found[0], found[TOLERANCE]
    return {
        "ERL um": None if strict.erl is None else strict.erl / 1000,
        "nERL": strict.nerl,
        f"nERL, tolerance {TOLERANCE}": tolerant.nerl,
        "split edges": strict.split,
        "segments too many": strict.segments_too_many,
        "merging segments": strict.merging_segments,
        f"merging segments, tolerance {TOLERANCE}": tolerant.merging_segments,
        "skeletons too many": strict.skeletons_too_many,
    }


def segments_at(
    lines: Skeletons, config: Config, name: str, threshold: float | None
) -> NDArray[np.uint64]:
    """The segment at each node."""
    segmented = open_results(config, name).at(threshold)
    array = segmented.array
    begin = np.multiply(array.roi.begin, array.voxel_size)
    fragments = labels_at(
        array.read(array.roi), lines.positions, voxel_size=array.voxel_size, offset=begin
    )
    return segmented.segments(fragments)


def kept_skeletons(synthetic: Synthetic, folder: Path) -> Skeletons:
    """Of a volume, made once and kept beside it."""
    names = ("node_ids", "skeleton_ids", "positions", "edges")
    file = path(synthetic, folder).with_suffix(".skeletons.npz")
    if not file.exists():
        made = skeletons(synthetic)
        with replacing(file, many_writers=True) as staged, staged.open("wb") as target:
            np.savez_compressed(target, **{name: getattr(made, name) for name in names})
    with np.load(file) as there:
        return Skeletons(*(there[name] for name in names))
