"""The figure of a distribution of objects: density along the axes, and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsd.objects.distribution import NM_PER_UM, Density, Distribution
from lsd.report.canvas import FAINT, INK, new_figure, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POWERS = {"2": "²", "3": "³"}


def draw_distribution(found: Distribution, path: str | Path, *, title: str = "") -> Path:
    """Draws a panel for each axis, objects per mm³ along it, and one of sizes in µm³; PNG, or what
    the ending of the name says."""
    power = POWERS[found.power]
    figure, axes = new_figure(1, len(found.densities) + 1, width=3.4, height=2.9)
    highest = max(along.density.max() for along in found.densities)
    for axis, along in zip(axes, found.densities, strict=False):
        _density(axis, along, found.density)
        axis.set_ylim(0, 1.08 * highest or 1)
    axes[0].set_ylabel(f"objects per mm{power}", fontsize=9, color=INK)
    _sizes(axes[-1], found, power)
    if title:
        figure.suptitle(title, fontsize=10, color=INK)
    return save(figure, Path(path))


def _density(axis: Axes, along: Density, everywhere: float) -> None:
    axis.stairs(along.density, along.edges / NM_PER_UM, color=INK, linewidth=1.6)
    axis.axhline(everywhere, color=FAINT, linewidth=1, linestyle="--", label="whole region")
    axis.set_xlabel(f"{along.axis} [µm]", fontsize=9, color=INK)
    axis.legend(fontsize=8, frameon=False)
    plain(axis)


def _sizes(axis: Axes, found: Distribution, power: str) -> None:
    axis.stairs(found.counts, found.edges, color=INK, fill=True, alpha=0.75)
    axis.set_xscale("log")
    _few_ticks(axis)
    axis.set_xlabel(f"size [µm{power}]", fontsize=9, color=INK)
    axis.set_ylabel("objects", fontsize=9, color=INK)
    if len(found.sizes):
        middle = float(np.median(found.sizes))
        words = f"median {middle:.3g} µm{power}"
        axis.axvline(middle, color=FAINT, linewidth=1, linestyle="--", label=words)
        axis.legend(fontsize=8, frameon=False)
    plain(axis)


def _few_ticks(axis: Axes) -> None:
    """Round numbers on a logarithmic axis, also where it is shorter than a decade."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_locator(NullLocator())
