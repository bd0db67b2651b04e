"""Segment objects at located points: from raw to one volume of instances.

Where seeds.locator names a run, its network locates the objects first, unless seeds.located names
tables of them."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _objects(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, config.predict.volumes)
    from lsd.objects.locator import located_by
    from lsd.objects.seeded import segment_at_seeds

    located_by(config)
    say("written:", *(str(path) for path in segment_at_seeds(config)))


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.objects import survey

    return survey(config, shared)


COMMAND = Command(
    "objects",
    __doc__,
    _objects,
    _survey,
    sections=("seeds", "segment", "predict", "dataset"),
    workers="seeds",
)
