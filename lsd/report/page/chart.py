"""Curves as a drawing (SVG) that is readable as it stands, and that a slider goes along."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lsd.system.decimals import decimals

# of the drawing, in its own units; it is scaled to the width that there is
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420.0, 260.0, 56.0, 10.0, 10.0, 36.0
# styles that the stylesheet tells apart by colour and by dashes
STYLES = 8
# what stands for a number that is undefined
UNDEFINED = "\N{EN DASH}"
# with more points than this, points are not marked
_MARKED = 40


@dataclass(frozen=True)
class Line:
    """A curve; values that are None, or no finite numbers, are left out.  style: a number, another
    for each curve of a chart."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    style: int = 0


@dataclass(frozen=True)
class Chart:
    """Curves over one axis.

    mark: a value of x that is drawn as a dashed line, such as the threshold that was picked, and
          where the slider starts;  mark_words: what it is
    """

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    mark: float | None = None
    mark_words: str = ""


@dataclass(frozen=True)
class _Scale:
    """From values to places in the drawing."""

    low: float
    high: float
    first: float
    last: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (self._measure(v) for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.first + share * (self.last - self.first)

    def _measure(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def ticks(self) -> list[float]:
        return _powers(self.low, self.high) if self.is_log else _round(self.low, self.high)


def drawn(chart: Chart) -> str:
    """The chart as HTML: the drawing, a slider, and the values where it is; "" where no curve has
    a value."""
    lines = [line for line in chart.lines if _defined(line)]
    if not lines:
        return ""
    across, up = _scales(lines, chart.mark)
    body = "".join(
        [
            *(_x_tick(tick, across) for tick in across.ticks()),
            *(_y_tick(tick, up) for tick in up.ticks()),
            _axis_titles(chart),
            _mark(chart, across),
            *(_curve(line, across, up) for line in lines),
            f'<line class="cursor" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" x1="0" x2="0" hidden />',
        ]
    )
    words = escape(f"{chart.title}: {chart.y} over {chart.x}")
    return (
        f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{words}">{body}</svg>'
        f"{_slider(chart, lines, across)}</figure>"
    )


def _slider(chart: Chart, lines: Sequence[Line], across: _Scale) -> str:
    """What moves along the curves, and the values where it stands; at first at the mark, else at
    the end."""
    xs = sorted({x for line in lines for x, _ in _defined(line)})
    start = len(xs) - 1
    if chart.mark is not None:
        start = min(range(len(xs)), key=lambda i: abs(xs[i] - (chart.mark or 0)))
    content = {
        "xs": xs,
        "places": [round(across(x), 2) for x in xs],
        "lines": [{"xs": list(line.xs), "ys": list(map(_or_none, line.ys))} for line in lines],
    }
    rows = "".join(
        f'<tr><th scope="row"><svg class="swatch" viewBox="0 0 28 10" aria-hidden="true">'
        f'<path class="line s{line.style % STYLES}" d="M1 5H27"/></svg> {escape(line.name)}</th>'
        f'<td class="value">{number(_nearest(line, xs[start]))}</td></tr>'
        for line in lines
    )
    return (
        f'<label class="slide">{escape(chart.x)} <output>{number(xs[start])}</output>'
        f'<input type="range" min="0" max="{len(xs) - 1}" value="{start}" step="1" '
        f'aria-label="{escape(chart.x)} of {escape(chart.title)}"></label>'
        f'<table class="values">{rows}</table>'
        f'<script type="application/json">{as_script(content)}</script>'
    )


def as_script(content: object) -> str:
    """JSON that stands in a script element; it cannot end it.  Numbers are finite: JSON has no
    others, and a browser reads nothing of what holds one."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def number(value: float | None) -> str:
    """A number as people read it: whole ones as they are, others with three decimals, very large
    and very small ones with a power of ten; what is undefined is a dash."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return decimals(value) if abs(value) < 1e5 else f"{value:.2e}"


def _or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _nearest(line: Line, x: float) -> float | None:
    return min(zip(line.xs, line.ys, strict=True), key=lambda point: abs(point[0] - x))[1]


def _defined(line: Line) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(line.xs, map(_or_none, line.ys), strict=True) if y is not None]


def _scales(lines: Sequence[Line], mark: float | None) -> tuple[_Scale, _Scale]:
    points = [point for line in lines for point in _defined(line)]
    xs = [x for x, _ in points] + ([] if mark is None else [mark])
    ys = [y for _, y in points]
    across = _Scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    # what falls over several powers of ten, as losses do, would else be a line on the floor
    if min(ys) > 0 and max(ys) / min(ys) > 30:
        return across, _Scale(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP, is_log=True)
    low, high = min(0.0, *ys), max(0.0, *ys)
    return across, _Scale(low, high or 1.0, _HEIGHT - _BOTTOM, _TOP)


def _round(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers between two."""
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    step = next(m * power for m in (1, 2, 5, 10) if (high - low) / (m * power) <= count)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def _tick(value: float) -> str:
    is_plain = value == 0 or 1e-3 <= abs(value) < 1e5
    return f"{value:g}" if is_plain else f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")


def _x_tick(value: float, across: _Scale) -> str:
    x, base = across(value), _HEIGHT - _BOTTOM
    return (
        f'<path class="grid" d="M{x:.1f} {_TOP}V{base}"/>'
        f'<text x="{x:.1f}" y="{base + 14}" text-anchor="middle">{_tick(value)}</text>'
    )


def _y_tick(value: float, up: _Scale) -> str:
    y = up(value)
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
    )


def _axis_titles(chart: Chart) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    height = (_TOP + _HEIGHT - _BOTTOM) / 2
    return (
        f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(chart.x)}</text>'
        f'<text transform="translate(12 {height}) rotate(-90)" text-anchor="middle">'
        f"{escape(chart.y)}</text>"
    )


def _mark(chart: Chart, across: _Scale) -> str:
    if chart.mark is None:
        return ""
    x = across(chart.mark)
    on_left = x > _WIDTH * 0.6
    anchor, beside = ("end", x - 4) if on_left else ("start", x + 4)
    return (
        f'<path class="mark" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        f'<text class="marked" x="{beside:.1f}" y="{_TOP + 10}" text-anchor="{anchor}">'
        f"{escape(chart.mark_words)} {chart.mark:g}</text>"
    )


def _curve(line: Line, across: _Scale, up: _Scale) -> str:
    points, style = _defined(line), f"s{line.style % STYLES}"
    path = "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
    marks = (
        "".join(
            f'<circle class="{style}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5"/>'
            for x, y in points
        )
        if len(points) <= _MARKED
        else ""
    )
    return f'<path class="line {style}" d="{path}"/>{marks}'
