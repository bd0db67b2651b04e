"""Find where a segmentation may be wrong, without truth: an image of how far it is from what was
predicted, and a table of suspects."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _map(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.evaluation.error_map.run import error_maps

    say("written:", *(str(path) for path in error_maps(config)))


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.error_map import survey

    return survey(config, shared)


COMMAND = Command(
    "error_map",
    __doc__,
    _map,
    _survey,
    sections=("error_map", "segment", "predict"),
    workers="error_map",
)
