"""Figures of a run: sections are read from disk, files stand beside the scores, are called as these
are, and move with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.evaluation.boundaries import NOT_COMPARED, read_compared
from lsd.evaluation.counting import count_volume, no_objects
from lsd.evaluation.scored import scored
from lsd.evaluation.scored_results import scored_results
from lsd.evaluation.scores import Evaluation, VolumeScores
from lsd.report.curves import Curves, curves_of
from lsd.report.differences import Partners
from lsd.report.figures import SectionImages, draw_sections, draw_sweep, headline
from lsd.report.layers import shown_raw
from lsd.report.neurons import write_neurons
from lsd.report.page.write import write_page
from lsd.report.recorded import read_recorded
from lsd.report.shown import windows
from lsd.report.training_figure import draw_training
from lsd.segmentation.on_disk.results import Results
from lsd.spec import Config, Evaluate, Metric
from lsd.spec.paths import data_root, evaluation_file, report_file, run_folder
from lsd.volumes.find import expand
from lsd.volumes.volume import OpenVolume, open_volume

# sections a figure shows, and voxels of one: more would be smaller than a pixel
ROWS = 2
WINDOW = 512


@dataclass(frozen=True)
class Shown:
    """What was written to be looked at.

    files: figures (PNG; PDF and SVG lie beside each) and tables;  report: the page
    """

    files: list[Path]
    report: Path


def draw_all(config: Config, evaluation: Evaluation) -> Shown:
    """Writes all that shows what `evaluate` found into the run's folder: the figures of
    `draw_figures`, evaluation_neurons.csv with a row for each neuron, and report.html."""
    rows = write_neurons(config, evaluation)
    # once: curves of a long training take many seconds to be read
    recorded = read_recorded(config)
    figures = draw_figures(config, evaluation, curves=recorded.curves)
    report = write_page(recorded, report_file(config))
    return Shown([*figures, *([rows] if rows else [])], report)


def draw_figures(
    config: Config, evaluation: Evaluation, *, curves: Curves | None = None
) -> list[Path]:
    """Draws what `evaluate` found into the run's folder, each figure as PNG, and beside it as PDF
    and SVG; returns the PNG files.

    evaluation_sweep.png:    scores over thresholds, unless there are none
    evaluation_skeletons_sweep.png: the same along skeletons, where volumes have some
    evaluation_<volume>.png: raw, truth, segmentation and their difference, for each volume that was
    scored
    training.png:            losses and validation over iterations, unless nothing was trained

    curves: of training; None: those on disk
    """
    config = expand(config)
    files = [
        _draw(config, name, scores, evaluation.threshold)
        for name, scores in evaluation.volumes.items()
        if scores.scored and config.dataset.volumes()[name].labels is not None
    ]
    for scores, name in ((evaluation.skeletons, "skeletons_sweep"), (evaluation.volumes, "sweep")):
        if any(volume.sweep for volume in scores.values()):
            files.insert(0, draw_sweep(scores, evaluation.threshold, _figure(config, name)))
    of_training = curves_of(config) if curves is None else curves
    training = draw_training(of_training, run_folder(config) / "training.png")
    return [*files, *([training] if training else [])]


def _figure(config: Config, name: str) -> Path:
    """A file beside the scores."""
    scores = evaluation_file(config)
    return scores.with_name(f"{scores.stem}_{name}.png")


def _draw(config: Config, name: str, scores: VolumeScores, threshold: float | None) -> Path:
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=data_root(config))
    results = scored_results(config, name)
    shown = windows(volume, scores.roi, config.evaluate, rows=ROWS, size=WINDOW)
    return draw_sections(
        [_section(volume, results, threshold, roi, settings=config.evaluate) for roi in shown],
        _partners(config, name, scores, threshold),
        _figure(config, name),
        title=headline(name, scores.scored, threshold),
        voxel_size=volume.voxel_size[-2:],
        unit="nm" if volume.calibrated else "pixels",
    )


def _partners(config: Config, name: str, scores: VolumeScores, threshold: float | None) -> Partners:
    table = scores.table
    if config.evaluate.connected or table is None:
        # the pieces of the truth have other names than the labels on disk, which are drawn; and
        # along skeletons no voxel was counted
        whole = config.derive(evaluate={"connected": False, "metric": Metric.default})
        table = count_volume(whole, name, whole.dataset.volumes()[name]).at(threshold)
    assert table is not None, "what is drawn was scored"
    return Partners.of(table, left_out=no_objects(config.evaluate))


def _section(
    volume: OpenVolume,
    results: Results,
    threshold: float | None,
    roi: Roi,
    *,
    settings: Evaluate,
) -> SectionImages:
    truth, flat = volume.read_labels(roi), roi.shape[-2:]
    return SectionImages(
        title=f"z = {roi.begin[0]}" if roi.dims == 3 else "",
        raw=shown_raw(volume, roi).reshape(flat),
        truth=truth.reshape(flat),
        segmentation=results.read(roi, threshold).reshape(flat),
        scored=_scored(volume, roi, settings).reshape(flat),
        background_counts=settings.metric.has_background,
    )


def _scored(volume: OpenVolume, roi: Roi, settings: Evaluate) -> NDArray[np.bool_]:
    """Where voxels of a section count."""
    boundary = settings.metric.left_out_at_boundaries
    compared, known = read_compared(volume, roi, boundary=boundary)
    near = () if boundary is None else (NOT_COMPARED,)
    return scored(compared, known, settings) & ~np.isin(compared, np.array(near, np.uint64))
