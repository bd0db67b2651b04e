"""Writes the page of a run, and that of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lsd.report.page.one_run import page
from lsd.report.recorded import Recorded, read_recorded
from lsd.spec import Config
from lsd.spec.paths import report_file
from lsd.system.atomic import write_text


def write_report(config: Config, path: Path | None = None) -> Path:
    """Writes report.html of the run of this config into its folder; one file, which asks nothing of
    a network.

    It is made from what the run left on disk, so it may be written again at any time.  Numbers are
    those of evaluation.json; of volumes only the sections that are shown are read.  Raises
    ValueError where JSON of the run cannot be read, OSError where the page cannot be written.
    """
    return write_page(read_recorded(config), report_file(config) if path is None else path)


def write_page(recorded: Recorded, path: Path) -> Path:
    """The same, of what was read."""
    write_text(path, page(recorded), durable=False)
    return path


def write_comparison(configs: Sequence[Config], path: Path) -> Path:
    """Writes a page of several runs side by side, with links to the page of each."""
    from lsd.report.page.several import comparison

    recorded = [read_recorded(config) for config in configs]
    write_text(path, comparison(recorded, folder=path.parent), durable=False)
    return path
