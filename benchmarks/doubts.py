"""`python -m benchmarks doubts -c my_config.py [key=value ...]`: does it help to ask descriptors
before large regions are joined?

The volumes of predict.volumes must be predicted, with the head that is asked.  They are segmented
by the decoder watershed and by doubting with each weight, in runs beside the one that is named
(<name>_doubts_<weight>, with its predictions); the threshold of each is picked on validation
volumes, and so is the weight, by the objective of evaluate.metric.  What is found lies in
runs/<name>/doubts.json:

    python -m benchmarks doubts -c config/examples/fib25_mtlsd.py
    python -m benchmarks doubts -c my_config.py --weights 0.5,1,2 segment.caution=0.25
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.error_map import arguments
from benchmarks.seconds import seconds_of
from lsd.evaluation.run import evaluate
from lsd.evaluation.score import Score
from lsd.evaluation.scores import PARTS
from lsd.segmentation.run import segment
from lsd.spec import Config, Doubting, Watershed
from lsd.spec.paths import run_folder

WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)


def main(words: list[str]) -> int:
    """Prints what was found, and writes it."""
    if not words or {"-h", "--help"} & set(words):
        print(__doc__, file=sys.stderr)
        return 0 if words else 2
    config, given = arguments(list(words), "--weights")
    weights = WEIGHTS if given is None else tuple(float(weight) for weight in given.split(","))
    found = run(config, weights=weights)
    path = run_folder(config) / "doubts.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    print(f"written: {path}")
    return 0


def run(config: Config, *, weights: Sequence[float] = WEIGHTS) -> dict[str, Any]:
    """By decoder and weight: the threshold, the scores of validation and test volumes at it, also
    along skeletons where they have some, and seconds, None where it was segmented before; and
    which is picked on validation."""
    asked = config.segment.decoder
    asked = asked if isinstance(asked, Doubting) else Doubting()
    runs = {
        "watershed": config.derive(
            name=f"{config.name}_doubts_none", segment={"decoder": Watershed()}
        )
    }
    for weight in weights:
        runs[f"doubting, weight {weight:g}"] = config.derive(
            name=f"{config.name}_doubts_{weight:g}",
            segment={"decoder": asked.derive(weight=weight)},
        )
    found = {name: _scored(one, config) for name, one in runs.items()}
    validated = {
        name: one["objective"] for name, one in found.items() if one["objective"] is not None
    }
    picked = min(validated, key=lambda name: validated[name]) if validated else None
    return {"picked on validation": picked, **found}


def _scored(config: Config, predicted: Config) -> dict[str, Any]:
    folder, there = run_folder(config), run_folder(predicted) / "prediction"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "prediction"
    if link.is_symlink():
        # runs may have been moved or copied since
        link.unlink()
    if not link.exists():
        link.symlink_to(there.resolve())
    seconds = seconds_of(segment, config, makes="segmentation")
    found = evaluate(config)
    scores: dict[str, Score | None] = {part: found.part(part) for part in PARTS}
    along = {f"{part}, along skeletons": found.skeletons_of(part) for part in PARTS}
    validated = scores["validate"]
    return {
        "threshold": found.threshold,
        "objective": validated and validated.objective,
        "segmentation, s": seconds,
        **{name: score.as_dict() for name, score in (scores | along).items() if score},
    }
