"""Write a config with examples into an empty folder, to be edited: datasets, variants, networks,
and a small synthetic example that runs as it is."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lsd.cli.command import guarded
from lsd.cli.pipes import may_be_closed

# of the package as it is installed, where setup.py copies it; and of a checkout
_INSTALLED = Path(__file__).parents[1] / "templates" / "config"
_CHECKOUT = Path(__file__).parents[3] / "config"


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 if the folder is not empty, or cannot be written."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("folder", type=Path, metavar="NAME", help="folder to make, or an empty one")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args(argv)
    guarded(lambda: _make(arguments.folder), debug=arguments.debug)


def _make(folder: Path) -> None:
    new(folder)
    sys.stdout.write(
        f"""{folder}/config/ holds config.py, and the datasets, variants and networks that it names.

    cd {folder}
    lsd train -c config/examples/demo.py       a small synthetic example, some minutes
    lsd predict -c config/examples/demo.py     then lsd segment and lsd evaluate with the same -c
    lsd train                                  what config/config.py says: edit it first
"""
    )


def new(folder: Path) -> None:
    """Writes the folder `config` into a folder that is empty, or not there yet.

    Raises ValueError where it holds anything, OSError where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty; name a new folder, or an empty one")
    source = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    shutil.copytree(source, folder / "config", ignore=shutil.ignore_patterns("__pycache__"))
