"""Density along the axes and sizes of objects, of a table such as `locate` writes, or of a
segmentation: a figure and a CSV file.

runs/<name>/located/<volume>.csv     writes <volume>_density.png and <volume>_density.csv beside it
runs/<name>/objects/<volume>.zarr    reads its segmentation, and writes <volume>_objects.csv, the
                                     table of its objects, as well
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsd.cli.arguments import bare_parser
from lsd.cli.command import guarded, say
from lsd.cli.pipes import may_be_closed

if TYPE_CHECKING:
    from lsd.objects.located import Located

TABLES = (".csv", ".parquet")
Region = tuple[tuple[float, ...] | None, tuple[float, ...] | None]


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 where what is named cannot be read."""
    parser = bare_parser(__doc__, program)
    parser.add_argument(
        "path", type=Path, help="a table of objects, .csv or .parquet, or a file of a segmentation"
    )
    parser.add_argument(
        "--array", default="segmentation", help="of the segmentation (default: %(default)s)"
    )
    for name in ("begin", "end"):
        parser.add_argument(
            f"--{name}",
            type=_lengths,
            metavar="Z,Y,X",
            help=f"{name} of the region that was searched, nm (default: of the segmentation; with "
            "a table, of the box that holds all objects, so that densities are a little too high)",
        )
    parser.add_argument(
        "--bins", type=int, default=20, help="slabs along each axis (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="name of the files, without ending (default: beside the path)"
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
    from lsd.objects.tables import read_located, write_located
    from lsd.report.distributions import draw_distribution

    path: Path = arguments.path
    out: Path = arguments.out or path.with_name(f"{path.stem}_density")
    is_table = path.suffix in TABLES
    region: Region = (None, None)
    table, region = (read_located(path), region) if is_table else _segmented(path, arguments.array)
    begin, end = (
        given or of_array
        for given, of_array in zip((arguments.begin, arguments.end), region, strict=True)
    )
    found = distribution(table, begin=begin, end=end, bins=arguments.bins)
    files = [out.with_name(f"{out.name}{ending}") for ending in (".png", ".csv")]
    draw_distribution(found, files[0], title=str(found))
    write_distribution(found, files[1])
    if not is_table:
        files.append(out.with_name(f"{out.name.removesuffix('_density')}_objects.csv"))
        write_located(table, files[-1])
    say(str(found))
    say("written:", *(str(file) for file in files))


def _segmented(path: Path, name: str) -> tuple[Located, Region]:
    """The objects of a segmentation, and where it begins and ends, nm."""
    from lsd.objects.segmented import objects_of
    from lsd.volumes.array import open_array
    from lsd.volumes.units import lengths

    array = open_array(path, name)
    begin, end = (
        lengths(corner, array.voxel_size, array.remainder)
        for corner in (array.roi.begin, array.roi.end)
    )
    return objects_of(array), (begin, end)
