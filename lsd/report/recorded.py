"""What a run left in its folder, for a report: the config that it was evaluated with, scores,
curves of training, what steps took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsd.evaluation.along_skeletons.apart import SkeletonsApart
from lsd.evaluation.apart import Apart
from lsd.evaluation.metric import words_of
from lsd.evaluation.score import Score
from lsd.prediction.usage_file import read_usage
from lsd.report.curves import Curves, curves_of
from lsd.report.neurons import Neuron, read_neurons
from lsd.report.of_now import sentences, without_scores
from lsd.segmentation.made_from import SAME, Standing, of_run
from lsd.spec import Config, Spec
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
    standing:   of each scored volume, how its scores stand to the segmentation that there is; those
                of another one are in neither `evaluation` nor `neurons`
    """

    config: Config
    evaluation: Json
    validation: Json
    curves: Curves
    usage: Sequence[Json]
    neurons: Mapping[str, Sequence[Neuron]] = field(default_factory=dict)
    standing: Mapping[str, Standing] = field(default_factory=dict)

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

    @property
    def is_outdated(self) -> bool:
        """Whether it was evaluated, and nothing of that is of the segmentations that there are."""
        return bool(self.standing) and all(each.is_other for each in self.standing.values())

    def names_segments_of(self, volume: str) -> bool:
        """Whether ids of segments in what was recorded are for sure those of the segmentation that
        there is."""
        return self.standing.get(volume, SAME).is_known

    def apart(self) -> Mapping[str, Apart]:
        """Objects of the truth that lie in pieces, of each volume that is shown."""
        noted = self.evaluation.get("apart", {})
        return {name: Apart(**noted[name]) for name in self.volumes if name in noted}

    def skeletons_apart(self) -> Mapping[str, SkeletonsApart]:
        """Skeletons that do, the same."""
        noted = self.evaluation.get("skeletons_apart", {})
        shown = self.evaluation.get("skeletons", {}).get("volumes", {})
        return {name: SkeletonsApart(**noted[name]) for name in shown if name in noted}

    def notices(self, volume: str | None = None) -> list[str]:
        """A sentence for those volumes whose scores are not, or not for sure, of what is there;
        volume: of this one alone."""
        return sentences(self.standing, evaluation_file(self.config).name, volume)

    def words(self) -> type[Score]:
        """The scores of the metric that the run was evaluated by, for their words."""
        return words_of(self.config.evaluate)


def read_recorded(config: Config) -> Recorded:
    """What there is of the run of this config.  Raises ValueError for JSON that is none."""
    config, written = expand(config), read_object(evaluation_file(config))
    standing = of_run(config, written)
    others = {name for name, each in standing.items() if each.is_other}
    evaluation = without_scores(written, others)
    config = evaluated_config(config, evaluation)
    rows = read_neurons(config)
    return Recorded(
        config=config,
        evaluation=evaluation,
        validation=read_object(validation_file(config)),
        curves=curves_of(config),
        usage=read_usage(config),
        neurons={name: own for name, own in rows.items() if name not in others},
        standing=standing,
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
        whole[name] = _as_written(whole[name], settings, type(getattr(config, name)))
    if thresholds:
        whole["segment"]["thresholds"] = thresholds
    return Config.model_validate(whole)


def _as_written(trained: Json, written: Json, spec: type[Spec]) -> dict[str, Any]:
    """Fields of a section as they are written, else as it was trained, but for those that are not
    written where they are the usual ones: these are."""
    may_be_left_out = {
        name for name, field in spec.model_fields.items() if field.exclude_if is not None
    }
    kept = {name: value for name, value in trained.items() if name not in may_be_left_out}
    return {**kept, **written}
