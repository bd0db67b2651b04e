"""Bring a public data set to the data root: downloaded, checked, unzipped, and gone on with where
it was cut.  Without a name, list what there is.

A proxy is taken from the environment (https_proxy).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lsd.cli.command import guarded
from lsd.cli.pipes import may_be_closed


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 if it cannot be brought."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the data set")
    parser.add_argument("-c", "--config", metavar="FILE", help="whose data_root it comes to")
    parser.add_argument(
        "--data-root", metavar="FOLDER", help="where it comes to (default: $LSD_DATA, else ./data)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args(argv)
    guarded(
        lambda: _fetch(arguments.name, arguments.config, arguments.data_root),
        debug=arguments.debug,
        interrupted="interrupted; the same command goes on from what has come so far",
    )


def _fetch(name: str | None, config: str | None, folder: str | None) -> None:
    from lsd.data.fetch import fetch, listing

    if name is None:
        sys.stdout.writelines(f"{line}\n" for line in listing())
        return
    fetch(name, _root(config, folder), say=_say, bars=_bar)


def _root(config: str | None, folder: str | None) -> Path:
    from lsd.cli.files import load
    from lsd.spec.paths import data_root
    from lsd.spec.user_paths import expanded

    return data_root(load(config) if config else None) if folder is None else expanded(folder)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _bar(name: str) -> Callable[[int, int | None], None]:
    from tqdm import tqdm

    bar = tqdm(desc=name, unit="B", unit_scale=True, disable=None, leave=False)

    def tell(here: int, total: int | None) -> None:
        bar.total = total
        bar.update(here - bar.n)
        if here == total:
            bar.close()

    return tell
