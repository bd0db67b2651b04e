"""A training step of MtLSD by each weighting of its tasks, and in branches: time and memory beside
a fixed sum.

Each is measured in a process of its own, one after another in several rounds.  Time is that of the
processor, on a GPU that of the clock; memory is what is allocated at the peak beyond what the
process had before the network was made.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

import torch

from benchmarks.step import noise_batches
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.network.threads import computing_with
from lsd.prediction.predictor import choose_device
from lsd.spec import Config, Dataset, ForkMerge, Mode, Plain, Stage, Train, Variant, Volume
from lsd.system.usage import Meter
from lsd.training.learner import Learner, new_learner
from lsd.training.modes.mode import training_mode

BRANCHES = "forkmerge, 2 branches"
KINDS = ("fixed", "uncertainty", "pcgrad", "project_auxiliary", "cosine_gate", BRANCHES)
HEADS = VARIANTS["mtlsd"].stages[0].heads
NETWORK = "small"


def run(*, rounds: int = 3, steps: int = 2) -> dict[str, Any]:
    """Of each kind: time and peak memory over those of a fixed sum, medians of the rounds."""
    measured = [{kind: _apart(kind, steps) for kind in KINDS} for _ in range(rounds)]
    results: dict[str, Any] = {
        "network": f"{NETWORK}, MtLSD, on {measured[0]['fixed']['device']}",
        "fixed, s/step": statistics.median(each["fixed"]["seconds"] for each in measured),
        "fixed, peak MB": statistics.median(each["fixed"]["memory"] for each in measured) / 2**20,
    }
    for kind in KINDS[1:]:
        for what, word in (("seconds", "time"), ("memory", "peak memory")):
            ratios = [each[kind][what] / each["fixed"][what] for each in measured]
            results[f"{kind}, {word} over fixed"] = statistics.median(ratios)
    return results


def main() -> None:
    """Prints what was measured; some minutes."""
    for name, value in run().items():
        print(f"{name:46} {value if isinstance(value, str) else f'{value:8.3f}'}")


def _apart(kind: str, steps: int) -> dict[str, Any]:
    """What `measure` finds in a process of its own."""
    code = (
        "import json; from benchmarks.weighting import measure; "
        f"print(json.dumps(measure({kind!r}, steps={steps})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(kind: str, *, steps: int) -> dict[str, Any]:
    """Seconds of a step, the best of so many after one that does not count, and bytes at the
    peak."""
    config = _config(kind)
    batches = noise_batches(config)
    with computing_with(1 if choose_device("auto").type == "cpu" else None), Meter() as meter:
        before = _peak(meter)
        learner = new_learner(config, config.variant.stages[0])
        mode = training_mode(config.train.mode)
        mode.prepare(learner)
        seconds = []
        for _ in range(1 + steps):
            begin = _now(learner)
            mode.step(learner, batches)
            seconds.append(_now(learner) - begin)
        memory = _peak(meter) - before
    return {
        "seconds": min(seconds[1:]),
        "memory": memory,
        "device": str(learner.device),
    }


def _config(kind: str) -> Config:
    branches = kind == BRANCHES
    weighting = "fixed" if branches else kind
    # it is never merged here: a step of branches is what is measured
    mode: Mode = ForkMerge(every=10**6) if branches else Plain()
    return Config(
        name="weighting",
        # ForkMerge wants something to validate on, which is not opened
        dataset=Dataset(validate=Volume(synthetic={})),
        variant=Variant(stages=Stage(heads=HEADS, weighting=weighting)),
        network=NETWORKS[NETWORK],
        train=Train(mode=mode, iterations=10**6),
    )


def _now(learner: Learner) -> float:
    if learner.device.type == "cuda":
        torch.cuda.synchronize(learner.device)
        return time.perf_counter()
    return time.process_time()


def _peak(meter: Meter) -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    # ru_maxrss would begin with what the process held that started this one
    return meter.read().memory


if __name__ == "__main__":
    main()
