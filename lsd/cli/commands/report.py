"""Write the report of a run, or one of several runs side by side: a page (HTML) to be read in a
browser, on a phone and on paper, without a network.

runs/<name>                 writes runs/<name>/report.html, as `evaluate` does at its end
runs/<name> runs/<other>    writes report.html into the folder that holds them
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from lsd.cli.arguments import bare_parser
from lsd.cli.command import guarded, quiet_libraries, say
from lsd.cli.pipes import may_be_closed
from lsd.cli.run_folder import run_config
from lsd.spec.user_paths import expanded


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 0 done, 1 failed, 2 no run."""
    parser = bare_parser(__doc__, program)
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="folder of a run")
    add("--out", type=Path, metavar="FILE", help="of the page (default: see above)")
    add("--debug", action="store_true", help="show the traceback of a failure")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    quiet_libraries()
    guarded(
        lambda: _report([expanded(run) for run in arguments.runs], arguments.out),
        debug=arguments.debug,
        interrupted="interrupted; nothing was changed",
    )


def _report(folders: Sequence[Path], out: Path | None) -> None:
    configs = [run_config(folder) for folder in folders]
    # late: a folder that is none is refused at once
    from lsd.report.page.write import write_comparison, write_report

    if len(configs) == 1:
        say("written:", write_report(configs[0], out))
        return
    parents = [str(folder.resolve().parent) for folder in folders]
    beside = Path(os.path.commonpath(parents)) / "report.html"
    say("written:", write_comparison(configs, out or beside))
