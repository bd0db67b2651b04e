"""Look at a volume of a run in neuroglancer: raw, truth, predicted heads, fragments, segmentations,
skeletons and error sites, read from disk as they are looked at.

It prints an address, which a browser of this machine opens, and serves it until Ctrl-C.  How layers
are set, where one is and what one notes is kept in runs/NAME/viewer/VOLUME.json, and comes up
again.  On another machine, `ssh -L PORT:localhost:PORT` with --port PORT brings the address here.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from lsd.cli.arguments import bare_parser
from lsd.cli.command import guarded, say, set_up
from lsd.cli.pipes import may_be_closed
from lsd.cli.run_folder import messages_of_run, run_config


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    arguments = _parser(program).parse_intermixed_args(argv)
    set_up(debug=arguments.debug)
    with messages_of_run(arguments.run, _overrides(arguments.words)):
        guarded(lambda: _do(arguments), debug=arguments.debug)


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = bare_parser(__doc__, program)
    add = parser.add_argument
    add("run", metavar="RUN", help="folder of the run, as in runs/NAME")
    add("words", nargs="*", metavar="VOLUME",
        help="name of the volume (default: the first that was predicted), and key=value, changes "
        "of the config of the run")  # fmt: skip
    add("--open", action="store_true", help="open the address in a browser")
    add("--screenshot", type=Path, metavar="FILE",
        help="take a picture (PNG) by a browser that nobody sees, and end")  # fmt: skip
    add("--state", type=Path, metavar="FILE",
        help="where the state is kept (default: RUN/viewer/VOLUME.json)")  # fmt: skip
    add("--host", default="127.0.0.1", metavar="ADDRESS",
        help="that is listened at (default: %(default)s, this machine alone)")  # fmt: skip
    add("--port", type=int, default=0, metavar="N", help="default: one that is free")
    add("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _do(arguments: argparse.Namespace) -> None:
    """Imports late, so that wrong arguments are refused at once."""
    overrides = _overrides(arguments.words)
    volumes = [word for word in arguments.words if "=" not in word]
    if len(volumes) > 1:
        raise ValueError(f"one volume is looked at, got {', '.join(volumes)}")
    config = run_config(arguments.run, overrides)
    from lsd.report.viewer.browser import screenshot
    from lsd.report.viewer.run import view

    viewing = view(config, *volumes, file=arguments.state, host=arguments.host, port=arguments.port)
    if arguments.screenshot:
        screenshot(viewing.viewer, arguments.screenshot)
        say("written:", str(arguments.screenshot))
        return
    say(f"{viewing.address}\nserved until Ctrl-C; its state is kept in {viewing.file}")
    # to be seen at once, also through a pipe
    sys.stdout.flush()
    if arguments.open:
        webbrowser.open(viewing.address)
    try:
        viewing.serve()
    except KeyboardInterrupt:
        # how one stops looking is no error
        sys.stderr.write("no longer served; the same command brings it up again as it was\n")
        sys.exit(130)


def _overrides(words: Sequence[str]) -> list[str]:
    return [word for word in words if "=" in word]
