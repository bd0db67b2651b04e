"""Figures without a window system: an empty one with axes, its colours, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#222222", "#8a8a8a"


def new_figure(
    rows: int, columns: int, *, width: float, height: float, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row, each so many inches wide and high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(columns * width, rows * height + 0.8), layout="constrained", facecolor="white"
    )
    FigureCanvasAgg(figure)  # no window system, and none of pyplot's global state
    return figure, list(figure.subplots(rows, columns, sharey=sharey, squeeze=False).flat)


def plain(axis: Axes) -> None:
    """A faint grid behind the curves, small numbers, no frame above and to the right."""
    axis.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8, colors=INK)
    axis.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, path: Path) -> Path:
    """Writes a PNG, for screens, and beside it the same as PDF and SVG, for papers and slides;
    returns the PNG."""
    save(figure, path)
    # laid out once, which takes longer than to write it; the engine "none" would draw all twice
    figure.set_layout_engine(None)
    for ending in (".pdf", ".svg"):
        save(figure, path.with_suffix(ending))
    return path


def save(figure: Figure, path: Path) -> Path:
    """Writes the file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
