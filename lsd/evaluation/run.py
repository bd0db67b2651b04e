"""Evaluation of a run: validation picks the threshold, everything is scored with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from lsd.blockwise.on_disk.written import is_written
from lsd.evaluation.counting import Counted, count
from lsd.evaluation.earlier import keep
from lsd.evaluation.metric import scoring
from lsd.evaluation.score import Score
from lsd.evaluation.scores import PARTS, Evaluation, VolumeScores
from lsd.evaluation.sweep import Sweep, best, pooled
from lsd.prediction.kept import keep_config
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.threshold import array_name, scoring_settings, validated
from lsd.spec import Config
from lsd.spec.paths import evaluation_file, segmentation
from lsd.system.atomic import replacing
from lsd.volumes.array import text
from lsd.volumes.find import expand

log = logging.getLogger(__name__)


def evaluate(config: Config, *, progress: Callable[[str], object] = log.info) -> Evaluation:
    """Scores the segmentations of all volumes of predict.volumes that have truth; writes
    runs/<name>/evaluation.json.

    An earlier evaluation with other scores, settings, thresholds or volumes is kept as
    evaluation-1.json (-2, ..), with its figures, which is said.

    The threshold is the one with the lowest objective of evaluate.metric (the VOI sum) on the
    volumes of the dataset's part "validate", taken as one volume (see `Score.pool`), or the lowest
    that is as good but for evaluate.tolerance.  Where none of these was segmented it is the one
    that validation during training found.  It is never picked on test or training volumes: without
    either there is a sweep, but no threshold.  A decoder without thresholds has none; its
    segmentation is scored as it is.

    progress: told in a line what was done, and of each volume without truth where its segmentation
              is.
    Raises ValueError if no volume has truth, nothing is left to score, or a segmentation is
    missing, another run's, or of another prediction or other settings than there are now.
    """
    config = expand(config)
    named = config.dataset.named(config.predict.volumes)
    volumes = {name: volume for name, volume in named.items() if volume.labels is not None}
    if not volumes:
        raise ValueError(
            f"no volume of {', '.join(config.predict.volumes)} has labels to be scored against; "
            f"see predict.volumes"
        )
    parts = {name: part for part in PARTS for name in config.dataset.part(part)}
    counted, sweeps = {}, {}
    for name, volume in volumes.items():
        counted[name] = count(config, name, volume)
        progress(
            f"{name}: {counted[name].table.voxels.sum()} voxels counted in "
            f"{text(counted[name].roi)}"
        )
        sweeps[name] = _sweep(config, name, counted[name], config.segment.thresholds)
    # what was refused is not this run's
    keep_config(config)
    threshold, chosen_on = _choose(
        config, {name: swept for name, swept in sweeps.items() if parts[name] == "validate"}
    )
    for name in volumes:
        # scores come from the table of fragments, so they say nothing of what is written
        if threshold is not None and not is_written(
            segmentation(config, name), array_name(threshold)
        ):
            progress(f"{name}: scored{_kept(config, name, threshold)}")
    for name in [name for name in named if name not in volumes]:
        progress(f"{name}: no truth, not scored{_kept(config, name, threshold)}")
    scores = {
        name: _scores(config, name, parts[name], counted[name], sweeps[name], threshold)
        for name in volumes
    }
    evaluation = Evaluation(threshold, chosen_on, scores)
    kept = _write(config, evaluation)
    if kept:
        progress(kept)
    return evaluation


def _choose(config: Config, validation: Mapping[str, Sweep]) -> tuple[float | None, str]:
    if not decoder_of(config.segment).has_thresholds:
        return None, f"the {config.segment.decoder.kind} decoder has none"
    if validation:
        tolerance = config.evaluate.tolerance
        picked = best(pooled(list(validation.values())), tolerance=tolerance)
        within = f" (the lowest within {100 * tolerance:g}% of the best)" if tolerance else ""
        return picked, f"validation volumes: {', '.join(validation)}{within}"
    threshold = validated(config)
    if threshold is None:
        return None, "no validation volume was segmented, and training validated nothing"
    return threshold, "validation during training"


def _scores(
    config: Config, name: str, part: str, counted: Counted, swept: Sweep, threshold: float | None
) -> VolumeScores:
    with _naming(name):
        fragments = scoring(config.evaluate)(counted.table)
    if not decoder_of(config.segment).has_thresholds:
        return VolumeScores(part, counted.roi, scored=fragments, table=counted.table)
    if threshold is None or threshold in swept:
        scored = None if threshold is None else swept[threshold]
    else:
        scored = _sweep(config, name, counted, (threshold,))[threshold]
    return VolumeScores(
        part, counted.roi, scored=scored, fragments=fragments, sweep=swept, table=counted.table
    )


def _kept(config: Config, name: str, threshold: float | None) -> str:
    """Where the segmentation of a volume is, or how to have it written; nothing where no threshold
    says which."""
    decoder = decoder_of(config.segment)
    if threshold is None and decoder.has_thresholds:
        return ""
    array, at = (
        decoder.array_name(threshold),
        "" if threshold is None else f" at threshold {threshold}",
    )
    path = segmentation(config, name)
    if is_written(path, array):
        return f"; its segmentation{at} is in {path}"
    return f"; {path} holds no segmentation{at} yet: run segment.py again to write it"


def _sweep(
    config: Config, name: str, counted: Counted, thresholds: Iterable[float]
) -> dict[float, Score]:
    if not decoder_of(config.segment).has_thresholds:
        return {}
    score = scoring(config.evaluate)
    with _naming(name):
        return {threshold: score(counted.at(threshold)) for threshold in sorted(set(thresholds))}


@contextmanager
def _naming(volume: str) -> Iterator[None]:
    """Inside, what is wrong is said of this volume."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"volume {volume!r}: {error}") from error


def _write(config: Config, evaluation: Evaluation) -> str:
    """Writes evaluation.json; returns what became of an earlier one, in words."""
    path = evaluation_file(config)
    options = {
        "segment": scoring_settings(config.segment),
        "evaluate": config.evaluate.model_dump(mode="json"),
    }
    validation = config.dataset.part("validate")
    options["picked_on"] = {
        name: validation[name].model_dump(mode="json")
        for name in evaluation.volumes
        if name in validation
    }
    content = {**evaluation.as_dict(), **options}
    with replacing(path) as staged:
        staged.write_text(json.dumps(content, indent=2) + "\n")
        return keep(path, content)
