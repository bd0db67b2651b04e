"""Which segmentation numbers are of: noted with them, and compared with what lies on disk before
they are shown again, so that nobody takes the scores of one segmentation for those of another.

A segmentation is told by the digests of the steps that wrote it, and the prediction beside it
likewise; see `Step.digest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import edited, steps_of
from lsd.spec import Config, paths
from lsd.spec.evaluate import Scored
from lsd.system.commands import typed

MadeFrom = dict[str, dict[str, str]]

_CONTAINERS: dict[str, Callable[[Config, str], Path]] = {
    "segmentation": paths.segmentation,
    "objects": paths.objects,
    "prediction": paths.prediction,
}
# what makes anew what is of another one of these
_COMMANDS = {
    "segmentation": ("evaluate",),
    "objects": ("evaluate",),
    "prediction": ("segment", "evaluate"),
}


class Standing(NamedTuple):
    """How numbers stand to what lies on disk now.

    is_other: whether they are of another segmentation, or prediction
    why:      in words, why they are, or why nobody knows; "": they are of what is there
    way_out:  commands that make them anew
    """

    is_other: bool
    why: str
    way_out: str

    @property
    def is_known(self) -> bool:
        """Whether they are of what is there for sure."""
        return not self.why


SAME = Standing(is_other=False, why="", way_out="")


def made_from(config: Config, volume: str, steps: Iterable[Step], *, of: Scored) -> MadeFrom:
    """What numbers of a volume are of, as JSON; steps: that wrote what is scored."""
    noted: MadeFrom = {of: _digests(steps)}
    container = paths.prediction(config, volume)
    if of == "segmentation" and container.exists():
        noted["prediction"] = _digests(steps_of(container))
    return noted


def standing(config: Config, volume: str, noted: Any) -> Standing:
    """How numbers stand to the segmentation, the objects and the prediction of a volume.

    What was deleted since is compared with nothing.
    noted: of `made_from`; anything else is of a version that noted nothing
    """
    if not _is_whole(noted):
        return _unknown("it does not note which segmentation it is of, as earlier versions did not")
    kind = made_anew(config, volume, {kind: each.values() for kind, each in noted.items()})
    if kind is not None:
        return remade(kind, " and ".join(map(typed, _COMMANDS[kind])))
    return _edits(config, volume, noted)


def made_anew(config: Config, volume: str, noted: Mapping[str, Iterable[str]]) -> str | None:
    """Which of "segmentation", "objects" and "prediction" of a volume is another one by now; None:
    none of them.  What was deleted since is compared with nothing.

    noted: digests of steps that something was made of, by where these lie
    """
    for kind, container_of in _CONTAINERS.items():
        container, digests = container_of(config, volume), {*noted.get(kind, ())}
        if digests and container.exists() and not digests <= _there(container):
            return kind
    return None


def remade(kind: str, way_out: str) -> Standing:
    """Of what is of another one of these (see `made_anew`)."""
    return Standing(
        True, f"the {kind} {'were' if kind == 'objects' else 'was'} made anew since", way_out
    )


def others(config: Config, noted: Mapping[str, Any], volumes: Iterable[str]) -> list[str]:
    """Which of these volumes numbers are not of any more, in words."""
    found = {name: standing(config, name, noted.get(name)) for name in volumes}
    return [f"volume {name!r}: {each.why}" for name, each in found.items() if each.is_other]


def of_run(config: Config, evaluation: Mapping[str, Any]) -> dict[str, Standing]:
    """How the scores of each volume in an evaluation.json stand to what lies on disk now."""
    noted, along = evaluation.get("made_from", {}), evaluation.get("skeletons", {})
    names = dict.fromkeys([*evaluation.get("volumes", {}), *along.get("volumes", {})])
    return {name: standing(config, name, noted.get(name)) for name in names}


def _edits(config: Config, volume: str, noted: MadeFrom) -> Standing:
    """Unknown where an array was changed after the step that wrote it; not looked at where a
    revision stands for it."""
    if config.segment.revision is not None:
        return SAME
    for kind in noted.keys() - {"prediction"}:
        container = _CONTAINERS[kind](config, volume)
        for step in steps_of(container) if container.exists() else ():
            if step.name in noted[kind] and (names := edited(step)):
                return _unknown(
                    f"{', '.join(names)} was changed after it was written, or copied without the "
                    f"times of its files"
                )
    return SAME


def _unknown(why: str) -> Standing:
    return Standing(is_other=False, why=why, way_out=typed("evaluate"))


def _is_whole(noted: Any) -> bool:
    return (
        isinstance(noted, Mapping)
        and noted.keys() <= _CONTAINERS.keys()
        and all(isinstance(digests, Mapping) for digests in noted.values())
        and any(noted[kind] for kind in noted.keys() - {"prediction"})
    )


def _digests(steps: Iterable[Step]) -> dict[str, str]:
    return {step.name: step.digest for step in steps}


def _there(container: Path) -> set[str]:
    """Of the steps of a container that can be read."""
    found = set()
    for path in step_folder(container, "").glob("*/step.json"):
        with suppress(ValueError):
            found.add(load_step(path.parent).digest)
    return found
