"""Look at the blocks of a run: how far they are, and whether what says done is there and intact.

python blocks.py status runs/<name>
python blocks.py verify runs/<name>     marks what is missing or damaged as not done; run the script
                                        again to mend it
"""

import argparse
from pathlib import Path

from lsd import cli


def main() -> None:
    """Exit status 1 if verify finds anything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=("status", "verify"), metavar="status|verify", help="what to do"
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("runs"), help="of a run (default: %(default)s)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args()
    cli.guarded(lambda: show(arguments.what, arguments.folder), debug=arguments.debug)


def show(what: str, folder: Path) -> None:
    """Prints what there is."""
    from lsd.blockwise.on_disk.inspect import status, verify
    from lsd.segmentation.on_disk.tables import verify_tables

    if what == "status":
        print(*status(folder), sep="\n")
        return
    findings = [*verify(folder, progress=print), *verify_tables(folder)]
    if findings:
        print(*findings, sep="\n")
        raise RuntimeError(
            f"{len(findings)} blocks or tables are not as they should be; run the script that made "
            f"them again"
        )


if __name__ == "__main__":
    main()
