"""Figures of an evaluation, as PNG, PDF and SVG files: scores over thresholds; sections of raw,
truth, segmentation and their difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsd.evaluation.score import Score
from lsd.evaluation.scores import VolumeScores
from lsd.report.canvas import FAINT, INK, new_figure, plain, save_figure
from lsd.report.colours import (
    FALSE,
    MERGED,
    SPLIT,
    UNKNOWN,
    Picture,
    colours,
    grey,
    magnified,
    overlay,
)
from lsd.report.differences import Partners

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# of what is most important first, and as wide
COLOURS, WIDTHS = (INK, SPLIT, MERGED, "#2a7f62", "#7b4fa3", FAINT), (2.2, 1.6)
# pixels that the longer side of a section has at least
_PIXELS = 640


@dataclass(frozen=True, eq=False)
class SectionImages:
    """A section of a volume, all (y, x): raw in 0..1, truth and segmentation, and where the truth
    is scored.

    background_counts: whether a segment on label 0 of the truth, which is background, is wrong
    """

    title: str
    raw: NDArray[np.float32]
    truth: NDArray[np.uint64]
    segmentation: NDArray[np.uint64]
    scored: NDArray[np.bool_]
    background_counts: bool = False


def draw_sweep(volumes: Mapping[str, VolumeScores], threshold: float | None, path: Path) -> Path:
    """Scores over the threshold, such as VOI split, merge and sum, a panel for each volume; the
    threshold that was picked is marked."""
    swept = {name: volume for name, volume in volumes.items() if volume.sweep}
    figure, axes = new_figure(1, max(1, len(swept)), width=4.4, height=3.5, sharey=True)
    for axis, (name, volume) in zip(axes, swept.items(), strict=False):
        _curves(axis, volume, threshold)
        axis.set_title(f"{name} ({volume.part})", fontsize=10, color=INK, loc="left")
    axes[0].set_ylabel(_title(swept), fontsize=9, color=INK)
    axes[0].set_ylim(bottom=0)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(5, 3 * len(axes)),
        fontsize=8,
        frameon=False,
    )
    return save_figure(figure, path)


def draw_sections(
    sections: Sequence[SectionImages],
    partners: Partners,
    path: Path,
    *,
    title: str,
    voxel_size: Sequence[float],
    unit: str = "nm",
) -> Path:
    """Sections, a row each: raw, truth, segmentation, and where they differ.

    A segment that is the largest of an object has the object's colour, so what is right looks alike
    in both.  partners: of the whole volume, which decides what is cut off and what is merged.
    voxel_size: y x, in `unit`, nm or pixels
    """
    height, width = sections[0].raw.shape
    tall = height * voxel_size[0] / (width * voxel_size[1])
    figure, axes = new_figure(len(sections), 4, width=3.6, height=3.6 * min(tall, 2.0))
    for row, section in enumerate(sections):
        for column, (name, picture) in enumerate(_pictures(section, partners).items()):
            axis = axes[4 * row + column]
            axis.imshow(picture, aspect=voxel_size[0] / voxel_size[1], interpolation="antialiased")
            _bare(axis)
            if row == 0:
                axis.set_title(name, fontsize=11, color=INK)
        axes[4 * row].set_ylabel(section.title, fontsize=10, color=INK)
        _scale_bar(axes[4 * row], section.raw.shape, voxel_size, unit)
    _legend(
        figure,
        false=any(section.background_counts for section in sections),
        unscored=any(not section.scored.all() for section in sections),
    )
    figure.suptitle(title, fontsize=12, color=INK)
    return save_figure(figure, path)


def headline(name: str, scores: Score | None, threshold: float | None) -> str:
    """Name and scores of a volume, in a line."""
    if scores is None:
        return name
    at = "" if threshold is None else f" at threshold {threshold:g}"
    return f"{name}: {scores}{at}"


def _title(swept: Mapping[str, VolumeScores]) -> str:
    """What is drawn over thresholds, with its unit."""
    scores = (score for volume in swept.values() for score in volume.sweep.values())
    one = next(scores, None)
    unit = f" [{one.unit}]" if one and one.unit else ""
    return f"{one.title}{unit}" if one else ""


def _curves(axis: Axes, volume: VolumeScores, threshold: float | None) -> None:
    thresholds, labels = list(volume.sweep), next(iter(volume.sweep.values())).labels()
    values = zip(*(score.swept().values() for score in volume.sweep.values()), strict=True)
    for curve, (label, along) in enumerate(zip(labels, values, strict=True)):
        axis.plot(
            thresholds,
            [math.nan if value is None else value for value in along],
            "o-",
            color=COLOURS[curve % len(COLOURS)],
            linewidth=WIDTHS[min(curve, 1)],
            markersize=3.5,
            label=label,
        )
    of_fragments = next(iter(volume.fragments.swept().values())) if volume.fragments else None
    if of_fragments is not None:
        axis.axhline(
            of_fragments,
            color=FAINT,
            linewidth=1,
            linestyle=":",
            label=f"fragments, {labels[0]}",
        )
    if threshold is not None:
        axis.axvline(
            threshold, color=FAINT, linewidth=1, linestyle="--", label=f"picked: {threshold:g}"
        )
    axis.set_xlabel("threshold", fontsize=9, color=INK)
    plain(axis)


def _pictures(section: SectionImages, partners: Partners) -> dict[str, Picture]:
    """The four pictures of a row, magnified so that boundaries are thin lines."""
    factor = max(1, math.ceil(_PIXELS / max(section.raw.shape)))
    raw, truth, segments, scored = (
        magnified(image, factor)
        for image in (section.raw, section.truth, section.segmentation, section.scored)
    )
    return {
        "raw": grey(raw),
        "truth": overlay(raw, truth, colours(truth)),
        "segmentation": overlay(raw, segments, colours(partners.names(segments))),
        "difference": _difference(
            raw, truth, segments, scored, partners, false=section.background_counts
        ),
    }


def _difference(
    raw: NDArray[Any],
    truth: NDArray[Any],
    segments: NDArray[Any],
    scored: NDArray[np.bool_],
    partners: Partners,
    *,
    false: bool,
) -> Picture:
    """false: whether what is in a segment and in no object is marked"""
    merged, split, in_none = (
        partners.merged(segments, truth) & scored,
        partners.split(segments, truth) & scored,
        (segments > 0) & (truth == 0) & scored & false,
    )
    # a voxel in the wrong segment is also missing from the right one: merging is the graver mistake
    palette = np.zeros((*truth.shape, 3), dtype=np.float32)
    kinds = np.zeros(truth.shape, dtype=np.uint8)
    for kind, (where, colour) in enumerate(
        ((~scored, UNKNOWN), (split, SPLIT), (merged, MERGED), (in_none, FALSE)), start=1
    ):
        palette[where], kinds[where] = colour, kind
    picture = 0.35 + 0.65 * grey(raw)
    return np.where(kinds[..., None] > 0, 0.35 * picture + 0.65 * palette, picture).astype(
        np.float32
    )


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _scale_bar(axis: Axes, shape: Sequence[int], voxel_size: Sequence[float], unit: str) -> None:
    """A bar of a round number of nm, or pixels, about a quarter of the picture wide, in its lower
    left corner."""
    from matplotlib.patheffects import withStroke

    width = shape[1] * voxel_size[1]
    power = 10 ** math.floor(math.log10(width / 4))
    length = max(step * power for step in (1, 2, 5) if step * power <= width / 4)
    outline = [withStroke(linewidth=3, foreground="black")]
    end = 0.04 + length / width
    axis.plot(
        [0.04, end],
        [0.05, 0.05],
        color="white",
        linewidth=3,
        transform=axis.transAxes,
        path_effects=outline,
    )
    is_long = unit == "nm" and length >= 1000
    text = f"{length / 1000:g} µm" if is_long else f"{length:g} {unit}"
    place = ((0.04 + end) / 2, 0.07)
    axis.text(
        *place,
        text,
        color="white",
        fontsize=9,
        ha="center",
        transform=axis.transAxes,
        path_effects=outline,
    )


def _legend(figure: Figure, *, false: bool, unscored: bool) -> None:
    from matplotlib.patches import Patch

    entries = {
        "cut off from the largest segment of its object": SPLIT,
        "in a segment of another object": MERGED,
    }
    entries |= {"in a segment, and in no object": FALSE} if false else {}
    entries |= {"not scored": UNKNOWN} if unscored else {}
    handles = [Patch(facecolor=colour, alpha=0.8, label=text) for text, colour in entries.items()]
    figure.legend(
        handles=handles, loc="outside lower right", ncols=len(handles), fontsize=9, frameon=False
    )
