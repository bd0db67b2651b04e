"""The program `lsd`: finds the command that is named, and hands it the rest of the command line."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from lsd import __version__
from lsd.cli.commands import (
    blocks,
    correct,
    density,
    error_map,
    evaluate,
    export,
    fetch,
    locate,
    new,
    objects,
    predict,
    report,
    segment,
    stitch,
    sweep,
    train,
    view,
)
from lsd.cli.help import width
from lsd.cli.pipes import may_be_closed
from lsd.spec.mistakes import suggestion

COMMANDS: dict[str, tuple[str | None, Callable[..., Any]]] = {
    "new": (new.__doc__, new.main),
    "fetch": (fetch.__doc__, fetch.main),
    "train": (train.__doc__, train.COMMAND.main),
    "predict": (predict.__doc__, predict.COMMAND.main),
    "segment": (segment.__doc__, segment.COMMAND.main),
    "locate": (locate.__doc__, locate.COMMAND.main),
    "objects": (objects.__doc__, objects.COMMAND.main),
    "evaluate": (evaluate.__doc__, evaluate.COMMAND.main),
    "error_map": (error_map.__doc__, error_map.COMMAND.main),
    "report": (report.__doc__, report.main),
    "view": (view.__doc__, view.main),
    "export": (export.__doc__, export.main),
    "correct": (correct.__doc__, correct.main),
    "stitch": (stitch.__doc__, stitch.main),
    "density": (density.__doc__, density.main),
    "sweep": (sweep.__doc__, sweep.main),
    "blocks": (blocks.__doc__, blocks.main),
}


@may_be_closed()
def main(argv: Sequence[str] | None = None) -> None:
    """Does what the first word names, and exits: 0 done, 1 failed, 2 wrong, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in ([], ["-h"], ["--help"], ["help"]):
        sys.stdout.write(_overview())
        sys.exit(0 if words else 2)
    if words == ["--version"]:
        sys.stdout.write(f"lsd {__version__}\n")
        sys.exit(0)
    name, *rest = words
    if name not in COMMANDS:
        sys.stderr.write(f"error: lsd has no command {name!r}{suggestion(name, COMMANDS)}\n")
        sys.exit(2)
    _, command = COMMANDS[name]
    command(rest, program=f"lsd {name}")


def _overview() -> str:
    """A line for each command."""
    lines = [
        textwrap.fill(
            " ".join((about or "").split("\n\n")[0].split()),
            width(),
            initial_indent=f"    lsd {name:<10}",
            subsequent_indent=" " * 18,
        )
        for name, (about, _) in COMMANDS.items()
    ]
    listed = "\n".join(lines)
    return (
        f"usage: lsd COMMAND [-c my_config.py] [key=value ...]\n\n{listed}\n\n"
        f"lsd COMMAND --help lists every field of the config; lsd --version.\n"
    )
