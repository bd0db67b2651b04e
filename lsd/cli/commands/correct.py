"""Bring what people corrected of a segmentation back: a new segmentation, and truth to train on.

CORRECTIONS is JSON, of which each part may be left out:

    {"joins":   [[17, 23], [17, [1200.0, 340.0, 96.0]]],
     "cuts":    [[31, 40]],
     "painted": "painted.zarr:labels",
     "trusted": [17, 31]}

joins are pairs of fragments of one neuron, cuts pairs that are not, each named by its id, or by a
place in it, nm z y x; a segment has the id of one of its fragments.  painted is an array of ids on
the voxels of the segmentation, 0 where that is right.  Training may learn from the segments that
`trusted` names, by default those that joins and cuts are about, and from what is painted.
runs/NAME/corrected/VOLUME.zarr then holds `labels` and `labels_mask`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lsd.cli.arguments import bare_parser
from lsd.cli.command import GOES_ON, guarded, say, set_up
from lsd.cli.commands.export import settings_of
from lsd.cli.pipes import may_be_closed
from lsd.cli.run_folder import messages_of_run, run_config
from lsd.spec.corrections import Corrections
from lsd.spec.mistakes import ConfigError, lines
from lsd.spec.user_paths import expanded
from lsd.system.json_files import line_of


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    arguments = _parser(program).parse_intermixed_args(argv)
    set_up(debug=arguments.debug)
    with messages_of_run(arguments.run, arguments.words):
        guarded(lambda: _do(arguments), debug=arguments.debug, interrupted=GOES_ON)


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = bare_parser(__doc__, program)
    add = parser.add_argument
    add("run", metavar="RUN", help="folder of the run, as in runs/NAME")
    add("volume", metavar="VOLUME", help="of the run, by its name")
    add("corrections", metavar="CORRECTIONS", type=Path, help="file, JSON")
    add("words", nargs="*", metavar="key=value", help="changes of the config of the run")
    add("--threshold", type=float, metavar="T",
        help="of the segmentation (default: that which validation picked)")  # fmt: skip
    add("--workers", type=int, default=0, metavar="N",
        help="share the blocks among N processes (default: this one)")  # fmt: skip
    add("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _do(arguments: argparse.Namespace) -> None:
    """Imports late, so that wrong arguments are refused at once."""
    corrections = read_corrections(expanded(arguments.corrections))
    settings = settings_of(arguments, volumes=(arguments.volume,))
    config = run_config(arguments.run, arguments.words)
    from lsd.report.exports.correct import correct
    from lsd.report.exports.named import UnknownNames
    from lsd.report.exports.run import exported_volumes
    from lsd.report.exports.training import raw_to_write, training_volume

    volume, *others = exported_volumes(config, settings, progress=say)
    if others:
        names = ", ".join(each.name for each in (volume, *others))
        raise ConfigError(f"corrections are of one volume, and {arguments.volume!r} means {names}")
    try:
        written = correct(volume, corrections)
    except UnknownNames as error:
        text = expanded(arguments.corrections).read_text(encoding="utf-8")
        told = (
            f"{arguments.corrections}, line {line_of(text, name.place)}: {name}"
            for name in error.names
        )
        raise ConfigError("\n".join(told)) from error
    say("written:", str(written))
    if command := raw_to_write(volume):
        say(f"it is read at a scale; before training, write raw so too: `{command}`")
    say(f"to train on it: {training_volume(volume)}")


def read_corrections(path: Path) -> Corrections:
    """Corrections in a file.  Raises ConfigError where it cannot be read, or says what cannot
    be."""
    try:
        return Corrections.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines(error))) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file of corrections") from error
