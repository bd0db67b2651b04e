"""Density along the axes and sizes of the objects of a table, such as `locate` writes: a figure and
a CSV file.

runs/<name>/located/<volume>.csv     writes <volume>_density.png and <volume>_density.csv beside it
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lsd.cli.command import guarded, say
from lsd.cli.pipes import may_be_closed


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 where the table cannot be read."""
    parser = argparse.ArgumentParser(
        prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="of objects, .csv or .parquet")
    for name in ("begin", "end"):
        parser.add_argument(
            f"--{name}",
            type=_lengths,
            metavar="Z,Y,X",
            help=f"{name} of the region that was searched, nm (default: of the box that holds all "
            "objects, so that densities are a little too high)",
        )
    parser.add_argument(
        "--bins", type=int, default=20, help="slabs along each axis (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="name of the files, without ending (default: beside the table)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args(argv)
    guarded(lambda: _density(arguments), debug=arguments.debug)


def _lengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of lengths; write nm of each axis, as in 0,400,1600"
        ) from None


def _density(arguments: argparse.Namespace) -> None:
    from lsd.objects.distribution import distribution, write_distribution
    from lsd.objects.tables import read_located
    from lsd.report.distributions import draw_distribution

    table: Path = arguments.table
    found = distribution(
        read_located(table), begin=arguments.begin, end=arguments.end, bins=arguments.bins
    )
    out = arguments.out or table.with_name(f"{table.stem}_density")
    figure, numbers = out.with_name(f"{out.name}.png"), out.with_name(f"{out.name}.csv")
    draw_distribution(found, figure, title=str(found))
    write_distribution(found, numbers)
    say(str(found))
    say("written:", str(figure), str(numbers))
