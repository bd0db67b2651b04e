"""A script: its arguments, how it logs and ends, and what it says where it fails."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from lsd.cli.arguments import parser
from lsd.cli.files import load
from lsd.cli.pipes import is_closed, may_be_closed
from lsd.report.log import RunLog, note
from lsd.spec import Config
from lsd.spec.mistakes import ConfigError, lines
from lsd.spec.paths import log_file
from lsd.system.commands import hand_on, of_config
from lsd.system.ranks import is_first
from lsd.system.threads import sleep_where_idle

Action = Callable[[Config], object]

# how threads are called that do blocks in this process
_BLOCKS = "blocks"
GOES_ON = "interrupted; the same command goes on from the last checkpoint or block"


@dataclass(frozen=True)
class Command:
    """Something that is done with a config.

    name:       as in `lsd train`
    about:      what it does
    run:        does it
    survey:     lines that --dry-run says: what would be done, and about how long it takes, by one
                process or, where the second argument is true, shared
    sections:   top fields of the config that its help lists first
    workers:    section whose workers share the blocks where --workers says how many
    by_workers: does it with those; None: `run` does
    """

    name: str
    about: str
    run: Action
    survey: Callable[[Config, bool], Iterable[str]] | None = None
    sections: tuple[str, ...] = ()
    workers: str = ""
    by_workers: Action | None = None

    @may_be_closed()
    def main(
        self,
        argv: Sequence[str] | None = None,
        *,
        program: str | None = None,
        default: Path | None = None,
    ) -> None:
        """Does it with the config that the command line names, and exits.

        program: what the command is called by; None: the script.  default: config file, None: the
                 first of CONFIGS
        Exit status: 0 done, 1 failed, 2 wrong config, 130 interrupted.  A failure is one sentence;
        --debug adds the traceback.
        """
        arguments = parser(
            self.about,
            program=program,
            sections=self.sections,
            default=default,
            plans=self.survey is not None,
            workers=self.workers,
        ).parse_intermixed_args(argv)
        logging.captureWarnings(True)
        set_up(debug=arguments.debug)
        started = [sys.argv[0]] if program is None else program.split()
        words = (*started, *(sys.argv[1:] if argv is None else argv))
        is_dry = getattr(arguments, "dry_run", False)
        with of_config(arguments.config, arguments.overrides):
            guarded(
                lambda: self._do(arguments, words),
                debug=arguments.debug,
                interrupted="interrupted; nothing was changed" if is_dry else GOES_ON,
            )

    def _do(self, arguments: argparse.Namespace, words: Sequence[str]) -> None:
        count = getattr(arguments, "workers", None)
        shared = [] if count is None else [f"{self.workers}.workers.count={count}"]
        config = load(arguments.config, [*arguments.overrides, *shared])
        if arguments.print_config:
            sys.stdout.write(f"{config.model_dump_json(indent=2)}\n")
        elif getattr(arguments, "dry_run", False):
            assert self.survey is not None
            # at once: what comes first imports torch
            _write(f"what {self.name} would do, without doing it; this takes some seconds")
            from lsd.volumes.images.listing import lists_aside

            with lists_aside():
                for line in self.survey(config, bool(shared)):
                    _write(line)
        else:
            run = self.by_workers if shared and self.by_workers else self.run
            _logged(run, config, words)


def set_up(*, debug: bool) -> None:
    """What a command does before its work: messages are lines, other libraries are quiet, threads
    that wait sleep, and messages name commands as they are typed, in processes of its own too."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format="%(message)s")
    quiet_libraries()
    hand_on()
    sleep_where_idle()


def main(
    command: Action,
    description: str,
    *,
    argv: Sequence[str] | None = None,
    default: Path | None = None,
) -> None:
    """Runs `command` with the config that the command line names, and exits: see `Command.main`."""
    Command("", description, command).main(argv, default=default)


def say(*words: object) -> None:
    """Prints the words, and has them in the log of the run; of equal processes only the first
    does."""
    if not is_first():
        return
    text = " ".join(map(str, words))
    print(text)  # noqa: T201  (what a script was run for)
    note(text)


def _write(line: str) -> None:
    """To be seen at once, also through a pipe: what comes next may take a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def guarded(action: Callable[[], object], *, debug: bool, interrupted: str = "interrupted") -> None:
    """Does it and exits, with the exit status and the one sentence that `main` promises.

    interrupted: what is said after Ctrl-C or SIGTERM, unless the action says more
    """
    signals: list[str] = []
    try:
        with _terminable(signals):
            action()
    except ConfigError as error:
        _fail(error, 2, debug=debug)
    except ValidationError as error:
        _fail("\n".join(lines(error)), 1, debug=debug)
    except KeyboardInterrupt as error:
        by_signal = f"interrupted by {signals[0]}" if signals else "interrupted"
        _interrupted(str(error) or interrupted.replace("interrupted", by_signal, 1))
    except BrokenPipeError as error:
        if is_closed():
            raise
        _fail(error, 1, debug=debug)
    except (ValueError, OSError, RuntimeError, MemoryError, ImportError, KeyError) as error:
        _fail(error, 1, debug=debug)
    sys.exit(0)


def _interrupted(words: str) -> None:
    """Says so and exits, whatever signals come meanwhile.

    A thread that computes a block, for minutes, would be waited for; it may be ended as any process
    may be killed.
    """
    with _ignoring_signals():
        try:
            _fail(words, 130, debug=False)
        finally:
            if any(thread.name.startswith(_BLOCKS) for thread in threading.enumerate()):
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(130)


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Inside, nobody hears Ctrl-C and SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminable(signals: list[str]) -> Iterator[None]:
    """Inside, SIGTERM is as Ctrl-C: locks are given back, and it is said how to go on.

    signals: its name is appended when it comes
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signals.append(signal.Signals(number).name)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _logged(command: Action, config: Config, words: Sequence[str]) -> None:
    with RunLog(log_file(config), words) if is_first() else nullcontext():
        command(config)


def quiet_libraries() -> None:
    """Has other libraries log warnings only."""
    for name in ("gunpowder", "matplotlib", "numba", "numexpr", "PIL", "asyncio", "fontTools"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _fail(error: object, status: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    sys.stderr.write(f"error: {text or type(error).__name__}\n")
    sys.exit(status)
