"""The figure of a training: losses and validation over iterations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lsd.report.canvas import FAINT, INK, new_figure, plain, save_figure
from lsd.report.curves import Curve, Curves
from lsd.report.figures import COLOURS, WIDTHS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# drawn of a stage: what comes first is the most important
PANELS = {"training loss": "loss/", "validation": "validation/"}
_FIRST = ("loss/total", "validation/score")


def draw_training(curves: Curves, path: Path) -> Path | None:
    """Draws a panel of losses and one of the validation for each stage; returns the file, None
    where there is no curve."""
    panels = [
        (f"{stage}: {title}", chosen)
        for stage, own in curves.items()
        for title, begin in PANELS.items()
        if (chosen := panel(own, begin))
    ]
    if not panels:
        return None
    figure, axes = new_figure(1, len(panels), width=4.4, height=3.2)
    for axis, (title, chosen) in zip(axes, panels, strict=True):
        _draw(axis, title, chosen)
    return save_figure(figure, path)


def panel(curves: Mapping[str, Curve], begin: str) -> dict[str, Curve]:
    """The curves of a panel by their labels, what is most important first: those whose tag begins
    so, but for the threshold and the scores at each one; of one head the total alone."""
    tags = [
        tag
        for tag in curves
        if tag.startswith(begin) and tag.count("/") == 1 and tag != "validation/threshold"
    ]
    if begin == "loss/" and len(tags) == 2:
        tags = ["loss/total"]
    ordered = sorted(tags, key=lambda tag: tag not in _FIRST)
    return {tag.removeprefix(begin): curves[tag] for tag in ordered}


def _draw(axis: Axes, title: str, curves: Mapping[str, Curve]) -> None:
    for n, (label, curve) in enumerate(curves.items()):
        thin = curve.thinned()
        axis.plot(
            thin.iterations,
            thin.values,
            "-" if len(thin.values) > 40 else "o-",
            color=COLOURS[n % len(COLOURS)],
            linewidth=WIDTHS[min(n, 1)],
            markersize=3.5,
            label=label,
        )
    lowest = min(min(curve.values) for curve in curves.values())
    highest = max(max(curve.values) for curve in curves.values())
    if lowest > 0 and highest / lowest > 30:
        axis.set_yscale("log")
    axis.set_title(title, fontsize=10, color=INK, loc="left")
    axis.set_xlabel("iteration", fontsize=9, color=INK)
    axis.legend(fontsize=8, frameon=False, labelcolor=INK, edgecolor=FAINT)
    plain(axis)
