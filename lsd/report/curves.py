"""Curves of training, as its tensorboard events hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsd.spec import Config
from lsd.spec.paths import run_folder

# points of a curve that a page shows: more are closer together than its pixels
POINTS = 400


@dataclass(frozen=True)
class Curve:
    """Values over iterations, which ascend."""

    iterations: tuple[int, ...]
    values: tuple[float, ...]

    def thinned(self, points: int = POINTS) -> Curve:
        """About so many of its points, evenly chosen, the last among them."""
        step = -(-len(self.values) // points)
        if step <= 1:
            return self
        chosen = range((len(self.values) - 1) % step, len(self.values), step)
        return Curve(
            tuple(self.iterations[i] for i in chosen), tuple(self.values[i] for i in chosen)
        )


Curves = Mapping[str, Mapping[str, Curve]]


def curves_of(config: Config) -> Curves:
    """The curves of a run, by stage and tag, of stages that have some."""
    stages = (stage.name for stage in config.variant.stages)
    return {
        stage: curves for stage in stages if (curves := read_curves(run_folder(config) / stage))
    }


def read_curves(folder: Path) -> dict[str, Curve]:
    """Each curve of a stage by its tag, such as "loss/total"; what a stopped run wrote of
    iterations that were done again counts no more.

    Files that cannot be read are left out: a curve is no result.
    """
    points: dict[str, dict[int, float]] = {}
    for file in sorted(folder.glob("events*"), key=_age):
        scalars = _scalars(file)
        first = min((step for values in scalars.values() for step in values), default=None)
        if first is None:
            continue
        points = {
            tag: {step: value for step, value in values.items() if step < first}
            for tag, values in points.items()
        }
        for tag, values in scalars.items():
            points.setdefault(tag, {}).update(values)
    return {
        tag: Curve(tuple(sorted(values)), tuple(values[step] for step in sorted(values)))
        for tag, values in sorted(points.items())
        if values
    }


def _scalars(file: Path) -> dict[str, dict[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    # all points of curves, and of pictures as few as it takes
    events = EventAccumulator(str(file), size_guidance={"scalars": 0, "images": 1})
    try:
        events.Reload()
    except Exception:  # of whatever a damaged file makes tensorboard raise
        return {}
    return {tag: dict(_points(events, tag)) for tag in events.Tags()["scalars"]}


def _points(events: object, tag: str) -> Iterator[tuple[int, float]]:
    for event in events.Scalars(tag):  # type: ignore[attr-defined]
        yield event.step, event.value


def _age(file: Path) -> tuple[int, int]:
    """Second, and number of the writer in its process: by name, the tenth is before the ninth."""
    parts = file.name.split(".")
    second, number = parts[3] if len(parts) > 3 else "", parts[-1]
    return int(second) if second.isdigit() else 0, int(number) if number.isdigit() else 0
