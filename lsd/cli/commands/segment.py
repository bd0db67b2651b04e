"""Make segmentations from predicted affinities, one for each threshold."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _segment(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.segmentation.run import segment

    say("written:", *(str(path) for path in segment(config)))


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.segmentation import survey

    return survey(config, shared)


COMMAND = Command(
    "segment", __doc__, _segment, _survey, sections=("segment", "predict"), workers="segment"
)
