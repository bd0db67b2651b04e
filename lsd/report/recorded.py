"""What a run left in its folder, for a report: the config that it was evaluated with, scores,
curves of training, what steps took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsd.evaluation.metric import words_of
from lsd.evaluation.score import Score
from lsd.prediction.usage_file import read_usage
from lsd.report.curves import Curves, curves_of
from lsd.report.neurons import Neuron, read_neurons
from lsd.spec import Config
from lsd.spec.paths import evaluation_file, run_folder, validation_file
from lsd.system.json_files import read_object
from lsd.volumes.find import expand

Json = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Recorded:
    """A run, as it is on disk.

    config:     that it was evaluated with; of a run that was not, that of config.json
    evaluation: evaluation.json, empty where there is none
    validation: validation.json, the same
    curves:     of training, by stage and tag
    usage:      what steps took, a dictionary for each time that one was done
    neurons:    rows of each volume
    """

    config: Config
    evaluation: Json
    validation: Json
    curves: Curves
    usage: Sequence[Json]
    neurons: Mapping[str, Sequence[Neuron]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the run."""
        return self.config.name

    @property
    def folder(self) -> Path:
        """Of the run."""
        return run_folder(self.config)

    @property
    def threshold(self) -> float | None:
        """That volumes are scored at; None where there is none."""
        value = self.evaluation.get("threshold")
        return None if value is None else float(value)

    @property
    def volumes(self) -> Mapping[str, Json]:
        """Scores of each volume, as evaluation.json has them."""
        volumes: Mapping[str, Json] = self.evaluation.get("volumes", {})
        return volumes

    def words(self) -> type[Score]:
        """The scores of the metric that the run was evaluated by, for their words."""
        return words_of(self.config.evaluate)


def read_recorded(config: Config) -> Recorded:
    """What there is of the run of this config.  Raises ValueError for JSON that is none."""
    evaluation = read_object(evaluation_file(config))
    config = evaluated_config(expand(config), evaluation)
    return Recorded(
        config=config,
        evaluation=evaluation,
        validation=read_object(validation_file(config)),
        curves=curves_of(config),
        usage=read_usage(config),
        neurons=read_neurons(config),
    )


def evaluated_config(config: Config, evaluation: Json) -> Config:
    """A run's config with the volumes, and the settings, that evaluation.json says it was segmented
    and scored with, which may be others than those that it was trained with.

    Raises ValueError for settings that this version does not know.
    """
    recorded = {
        name: settings
        for name in ("segment", "evaluate", "dataset")
        if isinstance(settings := evaluation.get(name), Mapping)
    }
    thresholds = sorted(
        {float(t) for volume in evaluation.get("volumes", {}).values() for t in volume["sweep"]}
    )
    whole = json.loads(config.model_dump_json())
    for name, settings in recorded.items():
        whole[name] = {**whole[name], **settings}
    if thresholds:
        whole["segment"]["thresholds"] = thresholds
    return Config.model_validate(whole)
