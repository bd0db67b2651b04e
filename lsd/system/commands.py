"""How the commands are called by the person who started this run, so that messages name what that
person can type: `lsd segment` where the package is installed, `python segment.py` where the scripts
of a checkout are used."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# the script of the top level that does what a command of the program `lsd` does
SCRIPTS = {
    "train": "trainer.py",
    "predict": "predicter.py",
    "segment": "segment.py",
    "locate": "locate.py",
    "objects": "objects.py",
    "evaluate": "evaluate.py",
    "error_map": "error_map.py",
    "stitch": "stitch.py",
    "blocks": "blocks.py",
    "density": "density.py",
    "report": "report.py",
    "view": "view.py",
    "export": "export.py",
    "correct": "correct.py",
    "sweep": "sweep.py",
    "fetch": "fetch.py",
}
# those that take -c and key=value
_OF_A_CONFIG = ("train", "predict", "segment", "locate", "objects", "evaluate", "error_map")
# -c and key=value, as they were typed, for processes that the run starts
_CONFIG_VARIABLE = "LSD_CONFIG_WORDS"
# the folder of the scripts, as it was typed, for processes that the run starts; empty: none is used
_VARIABLE = "LSD_SCRIPTS"


def typed(name: str) -> str:
    """What to type for a command ("train", "segment", ...), as messages quote it: "`lsd segment`".

    It is the script where this run was started by one.  In a notebook, it is the program `lsd`.
    Config and overrides of this command are repeated: without them another run would be meant.
    """
    folder = _scripts()
    words = os.environ.get(_CONFIG_VARIABLE, "") if name in _OF_A_CONFIG else ""
    if folder is None or name not in SCRIPTS:
        return f"`lsd {name}{words}`"
    return f"`python {shlex.quote(str(folder / SCRIPTS[name]))}{words}`"


@contextmanager
def of_config(file: Path | None, overrides: Sequence[str]) -> Iterator[None]:
    """Inside, and in processes that are started there, messages repeat the config of this run."""
    words = [*(() if file is None else ("-c", str(file))), *overrides]
    before = os.environ.get(_CONFIG_VARIABLE, "")
    os.environ[_CONFIG_VARIABLE] = "".join(f" {shlex.quote(word)}" for word in words)
    try:
        yield
    finally:
        os.environ[_CONFIG_VARIABLE] = before


def hand_on() -> None:
    """Lets the processes that this one starts, workers of the run, call the commands as it does."""
    folder = _beside_the_program()
    os.environ[_VARIABLE] = "" if folder is None else str(folder)


def _scripts() -> Path | None:
    folder = _beside_the_program()
    if folder is None and os.environ.get(_VARIABLE):
        folder = Path(os.environ[_VARIABLE])
    return folder


def _beside_the_program() -> Path | None:
    """The folder of the script that this process runs, if the scripts of a checkout lie in it."""
    program = Path(sys.argv[0] if sys.argv else "")
    if program.suffix != ".py":
        return None
    folder = program.parent
    return folder if all((folder / script).is_file() for script in SCRIPTS.values()) else None
