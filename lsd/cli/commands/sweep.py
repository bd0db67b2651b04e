"""Train, predict, segment and score many settings with several seeds, one run after another, and
print the table that compares them; goes on where it was stopped.  Started several times, it shares
the runs among the processes.

-c names a file with a `sweep` (see config/examples/sweep.py), or several with a `config` each,
which are then compared; key=value changes all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from lsd.cli.arguments import bare_parser
from lsd.cli.command import guarded, set_up
from lsd.cli.files import load_settings
from lsd.cli.pipes import may_be_closed
from lsd.spec import Setting, Sweep
from lsd.spec.mistakes import ConfigError, lines, suggestion
from lsd.spec.plurals import counted

EXAMPLE = "config/examples/sweep.py"
# fields of a config that a sweep says for each of its runs, and what sets them
_OF_EACH_RUN = {"train.seed": "--seeds", "name": "--name", "runs": "--runs"}


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 1 if a run failed; the others are done nevertheless."""
    arguments = _parser(program).parse_intermixed_args(argv)
    set_up(debug=arguments.debug)
    guarded(lambda: _do(arguments), debug=arguments.debug)


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = bare_parser(__doc__, program)
    add = parser.add_argument
    add("-c", "--config", action="append", required=True, metavar="FILE",
        help=f"file with a sweep, as {EXAMPLE}; or with configs: -c a.py -c b.py")  # fmt: skip
    add("--name", help="of the sweep, and of its folder below runs/")
    add("--runs", metavar="FOLDER", help="of all sweeps, in which it has its own")
    add("--seeds", type=_numbers, metavar="1,2,3", help="seeds of each setting")
    add("--minutes", type=float, metavar="N", help="that each run trains, instead of iterations")
    add("--only", type=_words, metavar="NAME,NAME", help="these settings alone")
    add("--measure", action="store_true",
        help="only measure what a step of each setting takes, best on an idle machine")  # fmt: skip
    add("--dry-run", action="store_true", help="list the runs, and do nothing")
    add("--debug", action="store_true", help="show the traceback of a failure")
    add("overrides", nargs="*", metavar="key=value", help="e.g. train.batch_size=2, for all")
    return parser


def _do(arguments: argparse.Namespace) -> None:
    sweep = _sweep(arguments)
    if arguments.dry_run:
        for one in sweep.all_runs():
            minutes = sweep.minutes_of(one.setting)
            train = one.config.train.iterations
            how = f"{train} iterations" if minutes is None else _minutes(minutes)
            _say(f"{sweep.folder}/{one.config.name}: {how}")
        return
    # what takes seconds to be imported, once all that was given is right
    from lsd.sweep.results import as_text
    from lsd.sweep.run import measure_paces, run_sweep

    if arguments.measure:
        measure_paces(sweep, progress=_say)
        return
    outcome = run_sweep(sweep, progress=_say)
    if outcome.table:
        _say(f"\n{as_text(outcome.table)}\n\nwritten: {sweep.folder}/sweep.json, sweep.md")
    if outcome.failures:
        failed = "\n".join(f"  {name}: {error}" for name, error in outcome.failures.items())
        raise RuntimeError(f"{counted(len(outcome.failures), 'run')} failed:\n{failed}")


def _sweep(arguments: argparse.Namespace) -> Sweep:
    """What the files and the command line say, as one value."""
    loaded = [load_settings(path, arguments.overrides) for path in arguments.config]
    sweeps = [sweep for sweep, _ in loaded if sweep is not None]
    if len(sweeps) > 1 or (sweeps and len(loaded) > 1):
        raise ConfigError("a file with a sweep stands alone; give -c once, or files with configs")
    settings = _together([found for _, found in loaded])
    # of all of them, so that it is the same sweep with --only
    name = "_".join(settings)
    settings = _only(settings, arguments.only)
    changes = {
        key: value
        for key in ("name", "runs", "seeds", "minutes")
        if (value := getattr(arguments, key)) is not None
    }
    try:
        if sweeps:
            sweep = sweeps[0].derive(settings=settings, **changes)
        else:
            runs = next(iter(settings.values())).config.runs
            sweep = Sweep(**{"name": name, "settings": settings, "runs": runs, **changes})
    except ValidationError as error:
        raise ConfigError("\n".join(lines(error))) from error
    _refuse_idle(arguments.overrides, sweep, is_file=bool(sweeps))
    return sweep


def _refuse_idle(overrides: Sequence[str], sweep: Sweep, *, is_file: bool) -> None:
    """Raises ConfigError for overrides of what the sweep says, which would change nothing.

    is_file: whether a file says the sweep; the folder of runs of configs alone is that of the sweep
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key in _OF_EACH_RUN and (is_file or key != "runs"):
            raise ConfigError(
                f"{text!r} changes nothing, since the sweep says {key} of each run; give "
                f"{_OF_EACH_RUN[key]}"
            )
        if key == "train.iterations" and all(map(sweep.minutes_of, sweep.settings)):
            raise ConfigError(
                f"{text!r} changes nothing, since each run trains some minutes; give --minutes, or "
                f"take them out of the sweep"
            )


def _together(found: Sequence[dict[str, Setting]]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for more in found:
        twice = settings.keys() & more.keys()
        if twice:
            raise ConfigError(f"two configs are called {twice.pop()!r}; give one another name")
        settings |= more
    return settings


def _only(settings: dict[str, Setting], only: Sequence[str] | None) -> dict[str, Setting]:
    unknown = [name for name in only or () if name not in settings]
    if unknown:
        raise ConfigError(f"no setting {unknown[0]!r}{suggestion(unknown[0], settings)}")
    return {name: setting for name, setting in settings.items() if only is None or name in only}


def _minutes(number: float) -> str:
    return f"{number:g} minute{'' if number == 1 else 's'}"


def _numbers(text: str) -> tuple[int, ...]:
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"wants numbers, as in 1,2,3, got {text!r}")
    return tuple(int(part) for part in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
