"""Write the volumes of a run for other programs: neuroglancer, Fiji, napari, pandas, networkx.

FORMAT is one or several of

    precomputed  neuroglancer precomputed, all scales (the default)
    ome_zarr     OME-Zarr 0.4 with pyramids
    tiff         a TIFF file a section
    segments     a table of the segments, CSV and Parquet
    graph        the region graph, as tables of fragments and edges
    meshes       surfaces, beside a precomputed segmentation (needs zmesh)
    skeletons    center lines, beside a precomputed segmentation (needs kimimaro)

or JSON that sets fields of one, as in '{"kind": "precomputed", "sharded": true}'.  key=value
changes the config of the run, where it was segmented with others.  All is written below
runs/NAME/export/VOLUME; stopped, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from lsd.cli.arguments import bare_parser
from lsd.cli.command import GOES_ON, guarded, say, set_up
from lsd.cli.pipes import may_be_closed
from lsd.cli.run_folder import messages_of_run, run_config
from lsd.spec import Workers
from lsd.spec.exports import Export
from lsd.spec.mistakes import ConfigError, lines


@may_be_closed()
def main(argv: Sequence[str] | None = None, *, program: str | None = None) -> None:
    """Exit status 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    arguments = _parser(program).parse_intermixed_args(argv)
    set_up(debug=arguments.debug)
    with messages_of_run(arguments.run, _overrides(arguments.words)):
        guarded(lambda: _do(arguments), debug=arguments.debug, interrupted=GOES_ON)


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = bare_parser(__doc__, program)
    add = parser.add_argument
    add("run", metavar="RUN", help="folder of the run, as in runs/NAME")
    add("words", nargs="*", metavar="FORMAT", help="formats, and key=value")
    add("--volumes", default="", metavar="NAME,NAME",
        help="volumes, or parts of the dataset (default: those that were predicted)")  # fmt: skip
    add("--images", default="segmentation", metavar="NAME,NAME",
        help="raw, truth, segmentation, fragments, corrected, or predicted heads, as in "
        "raw,affs (default: %(default)s)")  # fmt: skip
    add("--threshold", type=float, metavar="T",
        help="of the segmentation (default: that which validation picked)")  # fmt: skip
    add("--workers", type=int, default=0, metavar="N",
        help="share the blocks among N processes (default: this one)")  # fmt: skip
    add("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _do(arguments: argparse.Namespace) -> None:
    """Imports late, so that wrong arguments are refused at once."""
    overrides = _overrides(arguments.words)
    formats = [word for word in arguments.words if word not in overrides]
    # first: it may name modules with formats
    config = run_config(arguments.run, overrides)
    settings = _settings(arguments, formats)
    from lsd.report.exports.run import export

    say("written:", *(str(file) for file in export(config, settings, progress=say)))


def _overrides(words: Sequence[str]) -> list[str]:
    return [word for word in words if "=" in word and not word.startswith("{")]


def _settings(arguments: argparse.Namespace, formats: Sequence[str]) -> Export:
    fields: dict[str, Any] = {"formats": tuple(map(_format, formats))} if formats else {}
    return settings_of(
        arguments,
        **fields,
        volumes=_names(arguments.volumes),
        images=_names(arguments.images),
    )


def settings_of(arguments: argparse.Namespace, **fields: Any) -> Export:
    """Fields, with --threshold and --workers.  Raises ConfigError that says what is wrong."""
    try:
        workers = Workers(count=arguments.workers)
        return Export(**fields, threshold=arguments.threshold, workers=workers)
    except ValidationError as error:
        named = (line.replace("Workers.count:", "--workers:") for line in lines(error))
        raise ConfigError("\n".join(named)) from error


def _format(word: str) -> Any:
    if not word.startswith("{"):
        return word
    try:
        return json.loads(word)
    except ValueError as error:
        raise ConfigError(f"{word!r} is no JSON: {error}") from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
