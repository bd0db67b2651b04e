"""Train every stage of the config's variant; goes on where a killed run stopped."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _train(config: Config) -> None:
    """Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, ("train", "validate") if config.train.validate_every else ("train",))
    from lsd.training.loop import train

    say("trained:", train(config))


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.training import survey

    return survey(config, shared)


COMMAND = Command(
    "train", __doc__, _train, _survey, sections=("train", "network", "variant", "dataset")
)
