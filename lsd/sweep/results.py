"""What the runs of a sweep left, and the table that compares its settings."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsd.report.table import markdown, table
from lsd.system.atomic import write_text
from lsd.system.decimals import decimals

RESULT = "result.json"


@dataclass(frozen=True)
class Result:
    """A run that is done.

    depends_on: digest of what it follows from, see `lsd.sweep.run`
    scores:     numbers by name, None where one is undefined;  threshold: that they were found at
    iterations: of each stage;  seconds: of each step
    """

    setting: str
    seed: int
    depends_on: str
    scores: Mapping[str, float | None]
    threshold: float | None
    iterations: int
    seconds: Mapping[str, float]

    def save(self, folder: Path) -> None:
        """Writes it into the run's folder, whole or not at all."""
        write_text(folder / RESULT, json.dumps(vars(self), indent=1) + "\n")


def read(folder: Path) -> Result | None:
    """The result in a run's folder; None where there is none that can be read."""
    try:
        return Result(**json.loads((folder / RESULT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def with_others(
    results: Sequence[Result], folder: Path, *, counts: Callable[[Result], bool] = lambda _: True
) -> list[Result]:
    """These results, and those of other runs in the sweep's folder, of earlier commands and of
    other processes; counts: whether such a one is still one of the sweep."""
    own = {(result.setting, result.seed) for result in results}
    kept = [(file.parent.name, read(file.parent)) for file in sorted(folder.glob(f"*/{RESULT}"))]
    others = [
        each
        for name, each in kept
        # a copy of a run that a person keeps beside it is no other seed
        if each
        and name == f"{each.setting}_seed{each.seed}"
        and (each.setting, each.seed) not in own
    ]
    return [*results, *filter(counts, others)]


@dataclass(frozen=True)
class Spread:
    """A number over seeds.

    values:    of those that have it;  undefined: how many have not
    deviation: standard deviation; None of a single one
    """

    values: tuple[float, ...]
    undefined: int = 0

    @property
    def mean(self) -> float:
        """Of all seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Of the seeds from their mean, as of a sample."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        low, high = min(self.values), max(self.values)
        return {
            "mean": self.mean, "deviation": self.deviation, "least": low, "most": high,
            "values": list(self.values), "undefined": self.undefined,
        }  # fmt: skip

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {_deviation(self.deviation)}"
        seeds = f" ({len(self.values)} of {len(self.values) + self.undefined})"
        return f"{_number(self.mean)}{spread}{seeds if self.undefined else ''}"


def spreads(results: Iterable[Result]) -> dict[str, dict[str, Spread]]:
    """Of each setting, each number over its seeds; numbers that a seed left undefined are those of
    the others."""
    by_setting: dict[str, list[Mapping[str, float | None]]] = {}
    for result in results:
        by_setting.setdefault(result.setting, []).append(result.scores)
    return {setting: _spreads(scores) for setting, scores in by_setting.items()}


def _spreads(seeds: Sequence[Mapping[str, float | None]]) -> dict[str, Spread]:
    """Of one setting."""
    values: dict[str, list[float]] = {}
    for scores in seeds:
        for name, value in scores.items():
            if value is not None and math.isfinite(value):
                values.setdefault(name, []).append(value)
    return {name: Spread(tuple(each), len(seeds) - len(each)) for name, each in values.items()}


def rows(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """A heading and a row for each setting: its seeds, iterations, and each number's mean and
    standard deviation, with the seeds that have it where others have not."""
    by_setting = spreads(results)
    names = _names(by_setting)
    body = []
    for setting, numbers in by_setting.items():
        own = [result for result in results if result.setting == setting]
        iterations = sorted({result.iterations for result in own})
        cells = [str(numbers[name]) if name in numbers else "-" for name in names]
        body.append([setting, str(len(own)), ", ".join(map(str, iterations)), *cells])
    return ["setting", "seeds", "iterations", *names], body


def rows_of_seeds(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """A heading and a row for each run, settings in their order and seeds in theirs: iterations,
    the threshold, and each number.  A mean of few seeds does not show how far one lies off."""
    by_setting = spreads(results)
    names = _names(by_setting)
    order = list(by_setting)
    body = []
    for run in sorted(results, key=lambda run: (order.index(run.setting), run.seed)):
        numbers = _spreads([run.scores])
        cells = [str(numbers[name]) if name in numbers else "-" for name in names]
        threshold = "-" if run.threshold is None else f"{run.threshold:g}"
        body.append([run.setting, str(run.seed), str(run.iterations), threshold, *cells])
    return ["setting", "seed", "iterations", "threshold", *names], body


def _names(by_setting: Mapping[str, Mapping[str, Spread]]) -> list[str]:
    """Of all numbers, in the order in which they come."""
    return list(dict.fromkeys(name for numbers in by_setting.values() for name in numbers))


def as_text(results: Sequence[Result]) -> str:
    """The table for a terminal."""
    heading, body = rows(results)
    return table(heading, body)


def as_markdown(results: Sequence[Result]) -> str:
    """The table for a document, and below it that of the seeds."""
    return f"{markdown(*rows(results))}\n{markdown(*rows_of_seeds(results))}"


def write(
    folder: Path,
    results: Sequence[Result],
    failures: Mapping[str, str],
    *,
    counts: Callable[[Result], bool] = lambda _: True,
) -> None:
    """sweep.json and sweep.md in the sweep's folder, `with_others`; failures: what was said, by
    run."""
    results = with_others(results, folder, counts=counts)
    content = {
        "settings": {
            setting: {name: spread.as_dict() for name, spread in numbers.items()}
            for setting, numbers in spreads(results).items()
        },
        "runs": [vars(result) for result in results],
        "failed": dict(failures),
    }
    write_text(folder / "sweep.json", json.dumps(content, indent=1) + "\n")
    write_text(folder / "sweep.md", as_markdown(results))


def _deviation(value: float) -> str:
    """As `_number`, but with a fourth decimal rather than a power of ten."""
    return f"{value:.1g}" if 1e-4 <= value < 1e-3 else _number(value)


def _number(value: float) -> str:
    """Three decimals, fewer of large numbers; very small ones with a power of ten."""
    if float(value).is_integer() and abs(value) >= 1:
        return f"{value:.0f}"
    return decimals(value) if abs(value) < 100 else f"{value:.1f}"
