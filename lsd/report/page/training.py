"""Curves of training in a page."""

from __future__ import annotations

from collections.abc import Mapping

from lsd.report.curves import Curve
from lsd.report.page.chart import Chart, Line, drawn, number
from lsd.report.page.document import folded, paragraph
from lsd.report.page.tables import definitions
from lsd.report.recorded import Recorded
from lsd.report.training_figure import PANELS, panel


def training(recorded: Recorded) -> str:
    """Losses and validation of each stage, everything else folded."""
    charts = [
        chart for stage, curves in recorded.curves.items() for chart in stage_charts(stage, curves)
    ]
    others = [
        Chart(f"{stage}: {tag}", "iteration", tag, [line(tag, curve)])
        for stage, curves in recorded.curves.items()
        for tag, curve in curves.items()
        if not tag.startswith(tuple(PANELS.values()))
    ]
    if not charts:
        return _best(recorded)
    rest = _grid(others)
    return (
        _grid(charts)
        + _best(recorded)
        + (
            folded("learning rate, norm of the gradient, throughput", rest, printed=False)
            if rest
            else ""
        )
    )


def stage_charts(stage: str, curves: Mapping[str, Curve]) -> list[Chart]:
    """Losses of a stage, and its validation."""
    return [
        Chart(
            f"{stage}: {title}",
            "iteration",
            title,
            [line(label, curve, n) for n, (label, curve) in enumerate(chosen.items())],
        )
        for title, begin in PANELS.items()
        if (chosen := panel(curves, begin))
    ]


def line(name: str, curve: Curve, style: int = 0) -> Line:
    """A curve to be drawn."""
    thin = curve.thinned()
    return Line(name, thin.iterations, thin.values, style)


def _grid(charts: list[Chart]) -> str:
    bodies = "".join(map(drawn, charts))
    return f'<div class="charts">{bodies}</div>' if bodies else ""


def _best(recorded: Recorded) -> str:
    """The validation that the best checkpoint is of."""
    best = recorded.validation
    if not best:
        return paragraph("Nothing was validated during training.")
    shown = {
        name.replace("_", " "): str(value) if isinstance(value, str) else number(value)
        for name, value in best.items()
        if isinstance(value, str | int | float)
    }
    return folded("the best validation", definitions(shown))
