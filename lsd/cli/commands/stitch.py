"""Stitch labelled blocks that overlap, of whatever program, to one volume.

FOLDER is a folder of files (zarr, N5, HDF5, TIFF, numpy), a block each; a file whose arrays are
blocks; or a list of blocks, CSV (path,z,y,x) or JSON ([{"path": .., "offset": [z, y, x]}, ..]).
Where a block lies is said by the list, by its name (--pattern), or by its file (attribute offset,
OME-Zarr).  Two labels of blocks that share voxels are one object by the rule

    common > ALWAYS, or common > LEAST and (common > ONE * either, or common > BOTH * each)

of the voxels they have in common there, and those that each has.  OUTPUT.zarr/segmentation then has
ids 1..n, the same for any number of processes; stopped, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lsd.cli.arguments import bare_parser
from lsd.cli.command import GOES_ON, guarded, set_up
from lsd.cli.pipes import may_be_closed
from lsd.spec import Rule, Stitch, Workers
from lsd.spec.kinds import import_kinds
from lsd.spec.mistakes import ConfigError, lines
from lsd.spec.user_paths import expanded

if TYPE_CHECKING:
    from lsd.segmentation.stitching.listed import Hints

_DEFAULT = Stitch()


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    arguments = _parser(program).parse_args(argv)
    set_up(debug=arguments.debug)
    guarded(
        lambda: _do(arguments),
        debug=arguments.debug,
        interrupted="interrupted; nothing was changed" if arguments.dry_run else GOES_ON,
    )


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = bare_parser(__doc__, program)
    rule, add = _DEFAULT.rule, parser.add_argument
    add("folder", metavar="FOLDER", help="of the blocks; or one file with all, or a list of them")
    add("output", metavar="OUTPUT", help="zarr folder to write, as in stitched.zarr")
    add("--array", default="", metavar="NAME",
        help="array of each file that holds labels (default: the only one)")  # fmt: skip
    add("--pattern", default="", metavar="NAME",
        help="how blocks are called, as in 'block_z{z}_y{y}_x{x}.tif'; {} is anything")  # fmt: skip
    add("--step", type=_integers, metavar="Z,Y,X",
        help="voxels from one block to the next, where names or the list count blocks")  # fmt: skip
    add("--nm", action="store_true", help="names or the list are in nm (default: voxels)")
    add("--voxel-size", type=_numbers, metavar="Z,Y,X",
        help="nm, where files do not say it")  # fmt: skip
    add("--axes", metavar="NAMES", help="of arrays, where files do not say it, as in xyz")
    add("--always", type=int, metavar="N",
        help="more common voxels are enough alone (default: no number is)")  # fmt: skip
    add("--least", type=int, default=rule.least, metavar="N",
        help="so many common voxels are not enough (default: %(default)s)")  # fmt: skip
    add("--one", type=float, default=rule.one, metavar="SHARE",
        help="of either object (default: %(default)s)")  # fmt: skip
    add("--both", type=float, default=rule.both, metavar="SHARE",
        help="of each of the two (default: %(default)s)")  # fmt: skip
    add("--touching", action="store_true",
        help="also compare the two planes where blocks touch and share no voxel")  # fmt: skip
    add("--piece", type=_integers, metavar="Z,Y,X",
        help="voxels that are written at once (default: 128 an axis, in 2D 1024)")  # fmt: skip
    add("--levels", type=int, default=_DEFAULT.levels, metavar="N",
        help="of an image pyramid (default: %(default)s)")  # fmt: skip
    add("--workers", type=int, default=0, metavar="N",
        help="share the work among N processes (default: this one)")  # fmt: skip
    add(
        "--launch",
        metavar="HOW",
        help="start workers by slurm, lsf or a command; see docs/cluster.md",
    )
    add("--launch-options", default="", metavar="TEXT", help="for the scheduler")
    add("--imports", default="", metavar="NAME,NAME", help="modules with formats of your own")
    add("--dry-run", action="store_true", help="say what would be done; nothing on disk is changed")
    add("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _do(arguments: argparse.Namespace) -> None:
    """Imports late, so that wrong arguments are refused at once."""
    settings, output = _settings(arguments), expanded(arguments.output)
    if output.suffix != ".zarr":
        raise ConfigError(
            f"the output is a zarr folder, and {arguments.output!r} is not called as one; give it "
            f"the suffix .zarr"
        )
    try:
        import_kinds(name for name in arguments.imports.split(",") if name)
    except ValueError as error:
        raise ConfigError(f"--imports: {error}") from error
    from lsd.blockwise.running.checked import check_workers
    from lsd.segmentation.stitching.listed import find_blocks
    from lsd.segmentation.stitching.run import ARRAY, stitch_files

    check_workers(settings.workers, section="stitch")
    blocks = find_blocks(expanded(arguments.folder), _hints(arguments))
    if arguments.dry_run:
        from lsd.cli.survey.stitching import survey

        for line in survey(blocks, output, settings):
            _say(line)
        return
    stitch_files(blocks, output, settings=settings, progress=_say)
    _say(f"written: {output}/{ARRAY}")


def _settings(arguments: argparse.Namespace) -> Stitch:
    try:
        return Stitch(
            rule=Rule(arguments.always, arguments.least, arguments.one, arguments.both),
            touching=arguments.touching,
            piece=arguments.piece,
            levels=arguments.levels,
            workers=Workers(
                count=arguments.workers,
                launch=arguments.launch,
                options=arguments.launch_options,
            ),
        )
    except ValidationError as error:
        raise ConfigError("\n".join(map(_by_option, lines(error)))) from error


def _by_option(line: str) -> str:
    """What is wrong with a field, by the option that sets it."""
    field, colon, words = line.partition(":")
    others = {"Workers.count": "workers", "Workers.options": "launch-options"}
    return f"--{others.get(field, field.rpartition('.')[2])}{colon}{words}"


def _hints(arguments: argparse.Namespace) -> Hints:
    from lsd.segmentation.stitching.listed import Hints

    return Hints(
        array=arguments.array,
        pattern=arguments.pattern,
        step=arguments.step,
        nm=arguments.nm,
        voxel_size=arguments.voxel_size,
        axes=arguments.axes,
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wants numbers, as in 40,4,4, got {text!r}") from None


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wants numbers, as in 64,64,64, got {text!r}") from None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
