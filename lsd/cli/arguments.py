"""What stands on a command line, beside the fields of the config that it changes."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lsd.cli.files import load
from lsd.cli.help import listed, width
from lsd.cli.overrides import CONFIGS
from lsd.spec.mistakes import ConfigError

# what begins with a minus and is no option: numbers as people write them, and lists of them
_NEGATIVE = re.compile(r"-\.?\d[\d.,eE+\s-]*$")


class _Help(argparse.Action):
    """--help, and --help SECTION."""

    sections: tuple[str, ...] = ()

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> NoReturn:
        try:
            if namespace.config is not None:
                # a config may name modules with kinds, which are listed then
                load(namespace.config)
            fields = listed(self.sections, only=values or "")
        except ConfigError as error:
            parser.exit(2, f"error: {error}\n")
        if not values:
            sys.stdout.write(f"{parser.format_help()}\n")
            sys.stdout.write(
                "Fields of the config, to be set as key=value, with their defaults; N is a number "
                "from 0, NAME a name:\n\n"
            )
        sys.stdout.write(f"{fields}\n")
        parser.exit()


class _OfConfig(argparse.ArgumentParser):
    """Of a command whose config is changed by key=value, which people write as options."""

    def error(self, message: str) -> NoReturn:
        if "unrecognized arguments: -" in message:
            message += "; fields of the config are key=value, as in train.batch_size=2"
        super().error(message)


def bare_parser(
    description: str | None,
    program: str | None,
    *,
    add_help: bool = True,
    kind: type[argparse.ArgumentParser] = argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """A parser without arguments, whose help is as wide as the terminal, and which takes negative
    numbers for values, also several at once, as in --begin -400,0,16; program: None: the script."""
    made = kind(
        prog=program,
        description=description,
        add_help=add_help,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=width()),
    )
    # argparse knows -4 and -0.4, and takes all else for options
    made._negative_number_matcher = _NEGATIVE
    return made


def parser(
    description: str,
    *,
    program: str | None = None,
    sections: Sequence[str] = (),
    default: Path | None = None,
    plans: bool = False,
    workers: str = "",
) -> argparse.ArgumentParser:
    """The parser of a command that takes a config.

    sections: top fields of the config that the help lists first; default: config, None: CONFIGS
    plans:    whether there is a --dry-run; workers: section whose number of workers --workers sets
    """
    made = bare_parser(description, program, add_help=False, kind=_OfConfig)
    helped = type("Help", (_Help,), {"sections": tuple(sections)})
    made.add_argument(
        "-h", "--help", action=helped, nargs="?", metavar="SECTION",
        help="show this and every field of the config, or those of one section, as in --help train",
    )  # fmt: skip
    shown = default or ", else ".join(map(str, CONFIGS))
    made.add_argument(
        "-c", "--config", default=default, type=Path, help=f"config file (default: {shown})"
    )
    if workers:
        made.add_argument(
            "--workers", type=_count, metavar="N",
            help=f"share the blocks among N processes, as {workers}.workers.count=N",
        )  # fmt: skip
    if plans:
        made.add_argument(
            "--dry-run", action="store_true",
            help="say what would be done, and about how long it takes; nothing on disk is changed",
        )  # fmt: skip
    made.add_argument(
        "--print-config",
        action="store_true",
        help="print the resolved config as JSON, which -c reads, and do nothing",
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    made.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. variant=acrlsd train.batch_size=2"
    )
    return made


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wants a number of processes, got {text!r}")
    return int(text)
