"""One run from beginning to end: train, predict, segment, evaluate; each goes on where it was."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lsd.evaluation.run import evaluate
from lsd.evaluation.scores import PARTS, Evaluation
from lsd.prediction.run import predict
from lsd.report.log import RunLog
from lsd.report.run import draw_all
from lsd.segmentation.run import segment
from lsd.spec import Config, Dataset
from lsd.spec.paths import log_file, scored_config_file
from lsd.system.atomic import write_text
from lsd.training.loop import train
from lsd.volumes.find import check_volumes


def do(config: Config, scored: Dataset | None, further: str | None) -> dict[str, Any]:
    """Does all of it; gives its numbers, as JSON: "scores" by name, "threshold", and "seconds" of
    each step, which are those of the rest where a run was stopped.

    scored, further: as of `lsd.spec.Sweep`.  Raises what the steps raise.
    """
    with RunLog(log_file(config), ["sweep", config.name]):
        seconds: dict[str, float] = {}
        validated = ("validate",) if config.train.validate_every else ()
        check_volumes(config, ("train", *validated))
        with _timed(seconds, "train"):
            train(config)
        config = _noted(config, scored)
        check_volumes(config, config.predict.volumes)
        with _timed(seconds, "predict"):
            predict(config)
        with _timed(seconds, "segment"):
            segment(config)
        with _timed(seconds, "evaluate"):
            evaluation = evaluate(config)
        draw_all(config, evaluation)
        more = {} if further is None else further_function(further)(config, evaluation)
        # a metric of one's own may give numbers of numpy, too
        metric = f"evaluate.metric={config.evaluate.metric.kind}"
        scores = numbers(scores_by_heading(evaluation), of=metric)
        scores |= numbers(more, of=further or "")
    return {"scores": scores, "threshold": evaluation.threshold, "seconds": seconds}


def _noted(config: Config, scored: Dataset | None) -> Config:
    """The config with the volumes that are scored, kept beside that of the run where it differs."""
    file = scored_config_file(config)
    if scored is None:
        # that of an earlier command
        file.unlink(missing_ok=True)
        return config
    config = config.derive(dataset=scored)
    write_text(file, config.model_dump_json(indent=2) + "\n")
    return config


def scores_by_heading(evaluation: Evaluation) -> dict[str, float | None]:
    """What a table shows of each part of the dataset, by part and heading: of test volumes all
    columns of the score, "test VOI split", of others what stands for it, "validate VOI".

    Where no test volume was scored, the validation volumes have all columns too.  Along skeletons,
    and of heads that were counted, each part has all columns.
    """
    scored = {part: score for part in PARTS if (score := evaluation.part(part)) is not None}
    scores: dict[str, float | None] = {}
    for part, score in scored.items():
        columns = {} if part == "test" else score.brief()
        columns |= score.row() if part == list(scored)[-1] else {}
        scores |= {f"{part} {heading}": value for heading, value in columns.items()}
    for part in PARTS:
        along = evaluation.skeletons_of(part)
        for heading, value in ({} if along is None else along.row()).items():
            # the metric's own, where it has the same heading
            scores.setdefault(f"{part} {heading}", value)
    for part in PARTS:
        for head, count in evaluation.heads_of(part).items():
            columns = count.all.row()
            scores |= {f"{part} {head} {heading}": value for heading, value in columns.items()}
    return scores


def numbers(found: Any, *, of: str) -> dict[str, float | None]:
    """What a function `of` a person's own gives by name, as plain numbers; what is not finite is
    undefined, None.  Raises ValueError for what is no number."""
    if not isinstance(found, Mapping):
        raise ValueError(
            f"{of} gives {type(found).__name__}; wanted: a dictionary, numbers by name"
        )
    return {str(name): _number(value, f"{of} gives {name!r}") for name, value in found.items()}


def _number(value: Any, what: str) -> float | None:
    if value is None or isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{what}: {value!r}; wanted: a number, or None where it is undefined"
        ) from error
    return number if math.isfinite(number) else None


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - begin, 2)


def further_function(name: str) -> Any:
    """The function of a sweep's `further`.  Raises ValueError where there is none."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"further={name!r}: {error}") from error
    if not callable(found):
        raise ValueError(f"further={name!r}: {module} has no function {function!r}")
    return found
