"""How an error map stands to the segmentation and the prediction that there are now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.evaluation.error_map.blocks import ARRAY
from lsd.segmentation.made_from import SAME, Standing, made_anew, remade
from lsd.spec import Config, paths
from lsd.system.commands import typed


def standing_of_map(config: Config, volume: str) -> Standing:
    """Whether a map compares the segmentation and the prediction that there are; what was deleted
    since is compared with nothing."""
    way_out = typed("error_map")
    folder = step_folder(paths.error_map(config, volume), ARRAY)
    if not (folder / "step.json").exists():
        return Standing(False, "the map that they are of is gone, which would tell", way_out)
    inputs = load_step(folder).job.fingerprint()
    noted = {"segmentation": _of_segments(inputs), "prediction": _made_from(inputs.get("head"))}
    kind = made_anew(config, volume, noted)
    return SAME if kind is None else remade(kind, way_out)


def _of_segments(inputs: dict[str, Any]) -> Iterator[str]:
    segments = inputs.get("segmentation") or {}
    yield from _made_from(segments.get("ids"))
    yield from _made_from(segments.get("table"))


def _made_from(read: Any) -> Iterator[str]:
    """The digest of what an input of a step is made from; none of what other programs made."""
    if read and read.get("made_from"):
        yield read["made_from"]
