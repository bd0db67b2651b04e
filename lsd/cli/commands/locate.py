"""List the objects of predicted volumes: a table of points, boxes, sizes and confidences."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _locate(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.objects.run import locate

    say("written:", *(str(path) for path in locate(config)))


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.locating import survey

    return survey(config, shared)


COMMAND = Command(
    "locate",
    __doc__,
    _locate,
    _survey,
    sections=("locate", "segment", "predict"),
    workers="locate",
)
