"""Predict the heads of the volumes that predict.volumes names, in blocks: in this process, or
shared by many, here or on a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lsd.cli.command import Command, say
from lsd.spec import Config


def _predict(config: Config) -> None:
    """In this process.  Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, config.predict.volumes)
    from lsd.prediction.run import predict

    say("written:", *(str(path) for path in predict(config)))


def _share(config: Config) -> None:
    """By the workers of the config."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, config.predict.volumes)
    from lsd.prediction.run import configured_workers, predict

    say(
        "written:",
        *(str(path) for path in predict(config, workers=configured_workers(config.predict))),
    )


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.prediction import survey

    return survey(config, shared)


COMMAND = Command(
    "predict", __doc__, _predict, _survey,
    sections=("predict", "dataset"), workers="predict", by_workers=_share,
)  # fmt: skip
# of super_predicter_daisy.py
SHARED = replace(COMMAND, run=_share, survey=lambda config, _: _survey(config, True))
