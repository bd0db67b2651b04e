"""Look at the blocks of a run: how far they are, and whether what says done is there and intact.

status runs/<name>
verify runs/<name>     marks what is missing or damaged as not done; run the command again to mend
                       it
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lsd.cli.arguments import bare_parser
from lsd.cli.command import guarded
from lsd.cli.pipes import may_be_closed
from lsd.system.commands import typed


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 if verify finds anything."""
    parser = bare_parser(__doc__, program)
    parser.add_argument(
        "what", choices=("status", "verify"), metavar="status|verify", help="what to do"
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("runs"), help="of a run (default: %(default)s)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args(argv)
    guarded(lambda: _show(arguments.what, arguments.folder), debug=arguments.debug)


def _show(what: str, folder: Path) -> None:
    from lsd.blockwise.on_disk.inspect import status, verify_blocks
    from lsd.segmentation.on_disk.tables import verify_tables

    if what == "status":
        _say(status(folder))
        return
    findings = [
        *verify_blocks(folder, progress=lambda line: _say([line])),
        *verify_tables(folder),
    ]
    if findings:
        _say(findings)
        raise RuntimeError(
            f"damaged blocks and tables: {len(findings)}; run the command that made them again: "
            f"{typed('predict')}, {typed('segment')} or {typed('stitch')}"
        )


def _say(lines: Sequence[object]) -> None:
    """Without a log: that of the run is of what changed it."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
