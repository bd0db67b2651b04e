"""Evaluation of a run: validation picks the threshold, everything is scored with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.written import is_written
from lsd.blockwise.running.checked import check_workers
from lsd.evaluation.along_skeletons.apart import tell_skeletons_apart
from lsd.evaluation.along_skeletons.nodes import nodes_of_volume
from lsd.evaluation.along_skeletons.traced import skeleton_scoring
from lsd.evaluation.apart import tell_apart
from lsd.evaluation.counting import labels_of_pieces
from lsd.evaluation.earlier import keep_earlier
from lsd.evaluation.error_sites.over_blocks import sites_of_volume
from lsd.evaluation.error_sites.sites import write_csv
from lsd.evaluation.evidence import Evidence, has, open_evidence
from lsd.evaluation.heads import check_heads, count_heads
from lsd.evaluation.metric import check_joined, scoring
from lsd.evaluation.score import Score
from lsd.evaluation.scored_results import has_thresholds
from lsd.evaluation.scores import PARTS, AlongSkeletons, Evaluation, VolumeScores
from lsd.evaluation.sweep import Sweep, best_threshold, pooled
from lsd.evaluation.undefined import finite
from lsd.prediction.config_file import keep_config
from lsd.prediction.usage_file import noting_usage
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.made_from import MadeFrom, made_from
from lsd.segmentation.threshold import scoring_settings, validated
from lsd.spec import Config, Segment, Volume
from lsd.spec.paths import data_root, evaluation_file, segmentation, sites_file
from lsd.system.atomic import replacing
from lsd.system.commands import typed
from lsd.volumes.find import expand
from lsd.volumes.metadata_values import plain
from lsd.volumes.trained_on import trained_on

log = logging.getLogger(__name__)


@noting_usage("evaluate")
def evaluate(config: Config, *, progress: Callable[[str], object] = log.info) -> Evaluation:
    """Scores the segmentations of all volumes of predict.volumes that have truth, the labels or
    skeletons that evaluate.metric is against; writes runs/<name>/evaluation.json, and
    evaluation_sites.csv with the worst splits and merges; of evaluate.of="objects",
    objects_evaluation.json and objects_evaluation_sites.csv.

    Along the skeletons of volumes run lengths and edits are told beside it, whatever the metric.

    An earlier evaluation with other scores, settings, thresholds or volumes is kept as
    evaluation-1.json (-2, ..), with its figures and sites; the log tells it.

    The threshold is the one with the lowest objective of evaluate.metric (the VOI sum) on the
    volumes of the dataset's part "validate", taken as one volume (see `Score.pool`), or the lowest
    that is as good but for evaluate.tolerance.  Where none of these was segmented it is the one
    that validation during training found.  It is never picked on test or training volumes: without
    either there is a sweep, but no threshold.  A decoder without thresholds has none; its
    segmentation is scored as it is.

    progress: called with a line about what was done, and, for each volume without truth, where its
              segmentation is.
    Heads of evaluate.heads are counted beside what they learn, in the same part of each volume.
    Raises ValueError if no volume has truth, nothing is left to score, or a segmentation is
    missing, another run's, or of another prediction or other settings than there are now; so are
    objects of another table or checkpoint.
    """
    config = expand(config)
    named = config.dataset.named(config.predict.volumes)
    volumes = _with_evidence(config, named)
    for name, there in config.dataset.tested_and_validated().items():
        log.warning(
            "volume %r of test is %r of validate: checkpoint and threshold are picked on what is "
            "tested, so its scores are too good; validate on another volume or region",
            name,
            there,
        )
    for name, warning in trained_on(config.dataset, data_root=data_root(config)):
        if name in volumes:
            log.warning("%s", warning)
    check_workers(config.evaluate.workers, section="evaluate")
    check_heads(config, volumes)
    if config.evaluate.of == "segmentation":
        check_joined(config.evaluate, config.segment)
    score = scoring(config.evaluate)
    evidence: dict[str, Evidence] = {}
    sweeps, heads = {}, {}
    for name, volume in volumes.items():
        evidence[name] = open_evidence(config, name, volume)
        sweeps[name] = _sweep(name, evidence[name], config, score)
        progress(f"{name}: {evidence[name]}")
        if config.evaluate.heads:
            heads[name] = count_heads(config, name, volume, evidence[name].roi)
    # read once, where the metric is against them
    own = evidence if config.evaluate.metric.against == "skeletons" else {}
    nodes, along = _along_skeletons(config, named, own, progress)
    # only now, since a run whose volumes are refused is not evaluated
    keep_config(config, sections=("dataset", "segment", "evaluate"))
    evaluation = _evaluation(config, evidence, sweeps)
    skeletons = _skeletons(config, nodes, along, evaluation.threshold)
    scored = {**nodes, **evidence}
    evaluation = replace(
        evaluation,
        heads=heads,
        skeletons=skeletons,
        made_from=_made_from(config, scored, evaluation.threshold),
        apart=tell_apart(config, {name: evidence[name].roi for name in volumes}),
        skeletons_apart=tell_skeletons_apart(nodes),
    )
    for name in named if config.evaluate.of == "segmentation" else ():
        if line := _where_written(
            segmentation(config, name),
            name,
            config.segment,
            evaluation.threshold,
            scored=name in evaluation.volumes or name in skeletons,
        ):
            progress(line)
    kept = _write(config, evaluation)
    if kept:
        progress(kept)
    return evaluation


def _with_evidence(config: Config, named: Mapping[str, Volume]) -> dict[str, Volume]:
    """The volumes that have what the metric is against.  Raises ValueError where none has, and none
    has skeletons."""
    against = config.evaluate.metric.against
    volumes = {name: volume for name, volume in named.items() if has(volume, against)}
    if not volumes and not any(has(volume, "skeletons") for volume in named.values()):
        raise ValueError(
            f"no volume of {', '.join(config.predict.volumes)} has {against} to be scored against; "
            + (
                f"name them in {_place(config, named)}.skeletons=, or take a metric of labels"
                if against == "skeletons"
                else "see predict.volumes"
            )
        )
    return volumes


def _place(config: Config, named: Collection[str]) -> str:
    """Where the config holds one of these volumes, of test volumes first: dataset.test.0."""
    places = (
        f"dataset.{part}.{index}"
        for part in reversed(PARTS)
        for index, name in enumerate(config.dataset.names(part))
        if name in named
    )
    # what a pattern stands for has no name there
    return next(places, "dataset.test.0")


def _along_skeletons(
    config: Config,
    named: Mapping[str, Volume],
    read: Mapping[str, Evidence],
    progress: Callable[[str], object],
) -> tuple[dict[str, Evidence], dict[str, Sweep]]:
    """The volumes that have skeletons at the nodes of these, and their scores over thresholds.
    read: those that were read before."""
    score = skeleton_scoring(config.evaluate.skeletons)
    nodes: dict[str, Evidence] = {}
    sweeps: dict[str, Sweep] = {}
    for name, volume in named.items():
        if has(volume, "skeletons"):
            nodes[name] = read.get(name) or nodes_of_volume(config, name, volume)
            sweeps[name] = _sweep(name, nodes[name], config, score)
            if name not in read:
                progress(f"{name}: {nodes[name]}")
    return nodes, sweeps


def _skeletons(
    config: Config,
    nodes: Mapping[str, Evidence],
    sweeps: Mapping[str, Sweep],
    threshold: float | None,
) -> dict[str, AlongSkeletons]:
    """What is told of volumes with skeletons, at the threshold of all."""
    score = skeleton_scoring(config.evaluate.skeletons)
    return {
        name: AlongSkeletons(
            **vars(_scores(config, name, nodes[name], sweeps[name], threshold, score))
        )
        for name in nodes
    }


def _made_from(
    config: Config, scored: Mapping[str, Evidence], picked: float | None
) -> dict[str, MadeFrom]:
    """What the scores of each volume are of; picked: a threshold that need be none of the swept
    ones, as validation during training may have found it."""
    swept = {*config.segment.thresholds, *(() if picked is None else (picked,))}
    thresholds = sorted(swept) if has_thresholds(config) else [None]
    return {
        name: made_from(config, name, each.results.written_by(thresholds), of=config.evaluate.of)
        for name, each in scored.items()
    }


def _evaluation(
    config: Config, evidence: Mapping[str, Evidence], sweeps: Mapping[str, Sweep]
) -> Evaluation:
    """The scores of all volumes at the threshold that the validation volumes choose."""
    validation = {
        name: sweep for name, sweep in sweeps.items() if name in config.dataset.part("validate")
    }
    threshold, chosen_on = _choose(config, validation)
    score = scoring(config.evaluate)
    scores = {
        name: _scores(config, name, evidence[name], sweeps[name], threshold, score)
        for name in evidence
    }
    return Evaluation(threshold, chosen_on, scores)


def _choose(config: Config, validation: Mapping[str, Sweep]) -> tuple[float | None, str]:
    """The threshold, and where it comes from, or why there is none."""
    decoder = decoder_of(config.segment)
    if config.evaluate.of == "objects":
        return None, "objects at located points have none"
    if not decoder.has_thresholds:
        return None, f"the {config.segment.decoder.kind} decoder has none"
    if validation:
        tolerance = config.evaluate.tolerance
        joined, least = pooled(list(validation.values())), decoder.joins_least
        threshold = best_threshold(joined, tolerance=tolerance, joins_least=least)
        within = f" (the {least} within {100 * tolerance:g}% of the best)" if tolerance else ""
        if nothing := joined[threshold].nothing_to_find:
            within = f" (the {least}, since no other is better there: {nothing})"
        return threshold, f"validation volumes: {', '.join(validation)}{within}"
    of_training = validated(config)
    if of_training is None:
        against = config.evaluate.metric.against
        return None, f"no validation volume with {against} was segmented, and training picked none"
    return of_training, "validation during training"


def _scores(
    config: Config,
    name: str,
    evidence: Evidence,
    sweep: Sweep,
    threshold: float | None,
    score: Callable[[Any], Score],
) -> VolumeScores:
    part = next(part for part in PARTS if name in config.dataset.part(part))
    with _naming(name):
        joined = evidence.fragments
        fragments = None if joined is None else score(joined)
        if has_thresholds(config) and threshold is None:
            return VolumeScores(part, evidence.roi, None, fragments, sweep)
        scored = sweep.get(threshold) if threshold is not None else None
        scored = scored or score(evidence.at(threshold))
    table = evidence.table(threshold)
    if table is None:
        return VolumeScores(part, evidence.roi, scored, fragments, sweep)
    labels = labels_of_pieces(config, name, evidence.roi)
    segmented = evidence.results.at(threshold)
    sites = sites_of_volume(
        config, name, table, segmented=segmented, roi=evidence.roi, labels=labels
    )
    return VolumeScores(
        part,
        evidence.roi,
        scored,
        fragments,
        sweep,
        table=table,
        sites=tuple(sites),
        labels=labels,
    )


def _where_written(
    path: Path, name: str, settings: Segment, threshold: float | None, *, scored: bool
) -> str:
    """Where the segmentation of a volume is, or how to have it written.

    It is "" for a scored volume whose segmentation is written, or has no threshold.  Scores come
    from the table of fragments, so they say nothing of what is written.
    """
    decoder = decoder_of(settings)
    state = f"{name}: scored" if scored else f"{name}: no truth, not scored"
    if threshold is None and (scored or decoder.has_thresholds):
        return "" if scored else state
    is_there = is_written(path, decoder.array_name(threshold))
    at_threshold = "" if threshold is None else f" at threshold {threshold}"
    if not is_there:
        return (
            f"{state}; {path} holds no segmentation{at_threshold} yet: run {typed('segment')} "
            f"again to write it"
        )
    return "" if scored else f"{state}; its segmentation{at_threshold} is in {path}"


def _sweep(
    name: str, evidence: Evidence, config: Config, score: Callable[[Any], Score]
) -> dict[float, Score]:
    """Scores at each threshold; empty where there is none."""
    if not has_thresholds(config):
        return {}
    thresholds = sorted(set(config.segment.thresholds))
    with _naming(name):
        return {threshold: score(evidence.at(threshold)) for threshold in thresholds}


@contextmanager
def _naming(volume: str) -> Iterator[None]:
    """Inside, a ValueError begins with the name of this volume."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"volume {volume!r}: {error}") from error


def _write(config: Config, evaluation: Evaluation) -> str:
    """Writes the scores; returns what became of an earlier one, in words."""
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
    # config.json is that of training, which may know other volumes
    options["dataset"] = {
        part: [volume.model_dump(mode="json") for volume in getattr(config.dataset, part)]
        for part in PARTS
    }
    # a metric of one's own may give numbers of numpy, and NaN, of which JSON knows nothing
    content = finite(plain({**evaluation.as_dict(), **options}))
    with replacing(path) as staged:
        staged.write_text(json.dumps(content, indent=2) + "\n")
        kept = keep_earlier(path, content)
    write_csv(evaluation.sites, sites_file(config))
    return kept
