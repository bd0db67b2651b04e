"""What segmentation left on disk, read by regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, differences, digest, load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.segmentation.blocks import FRAGMENTS, MUTEX, edge_pieces, voxels
from lsd.segmentation.mask import mask_of
from lsd.segmentation.predicted import affinities_input, neighborhood, predicted
from lsd.segmentation.steps import Segmented
from lsd.segmentation.tables import Places, Table, have_tables, open_table, segments_of
from lsd.spec import Config
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import Array, open_array
from lsd.volumes.inputs import ArrayInput


@dataclass(frozen=True, eq=False)
class Results:
    """A segmented volume.

    array:     fragments, or the segmentation itself (mutex decoder)
    places:    the fragments; None with the mutex decoder
    made_from: digest of what array is made from
    """

    container: Path
    array: Array
    places: Places | None
    made_from: str
    _tables: dict[float, Table] = field(default_factory=dict)

    def table(self, threshold: float) -> Table:
        """The segment of each fragment, from disk, or, for a threshold that was not asked for
        before, from the edges."""
        assert self.places is not None, "the mutex decoder leaves nothing to join"
        if threshold not in self._tables:
            folder = step_folder(self.container, "edges")
            name, made_from = repr(float(threshold)), digest(load_step(folder).depends_on())
            if have_tables(self.container, (name,), made_from):
                self._tables[threshold] = open_table(self.container, name, made_from=made_from)
            else:
                self._tables[threshold] = Table(
                    self.places, segments_of(self.places, edge_pieces(folder), threshold)
                )
        return self._tables[threshold]

    def read(self, roi: Roi, threshold: float | None) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, of all the world 0 where there are none; None:
        fragments."""
        fragments = self.array.read(roi, beyond="zero").astype(np.uint64, copy=False)
        return (
            fragments
            if threshold is None or self.places is None
            else self.table(threshold).look_up(fragments)
        )


def open_results(config: Config, volume: str) -> Results:
    """What `segment` wrote for a volume with the config's decoder.

    Raises ValueError, naming the file or folder, if it is missing, not whole, its edges or tables
    are another run's, or it is not what segmenting again would give: of another prediction than
    there is now, other settings, blocks or another mask.
    """
    path = segmentation(config, volume)
    if not path.exists():
        raise ValueError(
            f"there is no segmentation of volume {volume!r} at {path}; run segment.py first"
        )
    mutex = config.segment.decoder == "mutex"
    first = _whole(step_folder(path, "mutex" if mutex else "fragments"))
    array = open_array(path, MUTEX if mutex else FRAGMENTS)
    origin, parts = digest(first.depends_on()), _asked(config, volume, first)
    if mutex:
        _refuse(path, _named(parts.mutex(path).differs(first), "mutex", "context"))
        return Results(path, array, None, origin)
    edges = _whole(step_folder(path, "edges"))
    if not edges.is_older and _fragments_of(edges) != origin:
        raise ValueError(
            f"{edges.folder} does not belong to {array.name}, it is from another run; segment again"
        )
    other = [
        *_named(parts.fragments(path).differs(first), "fragments", "context"),
        *_other_scores(parts, edges),
    ]
    _refuse(path, list(dict.fromkeys(other)) or _other_inputs(parts, path, edges))
    return Results(
        path,
        array,
        Places.of(read_ledger(first.folder).records["count"], voxels(first.grid)),
        origin,
    )


def _asked(config: Config, volume: str, first: Step) -> Segmented:
    """What segmenting now would start from; a prediction that was deleted since is taken as it
    was."""
    if prediction(config, volume).exists() or first.is_older:
        affs = predicted(config, volume)
        roi, source = (
            affs.roi,
            affinities_input(affs, revision=config.segment.revision, whole=False),
        )
    else:
        source = ArrayInput.model_validate(first.job.record()["affinities"])
        roi = first.grid.roi
    return Segmented(
        config.segment, roi, source, neighborhood(config), mask_of(config, volume, roi=roi)
    )


def _other_scores(parts: Segmented, edges: Step) -> list[str]:
    """What the config says of edges otherwise than those on disk were made."""
    if edges.is_older:
        return parts.fragments(edges.container).differs(edges)
    grown, there = parts.settings.grown, edges.job.fingerprint()
    found = differences({"scores": there["scores"]}, {"scores": parts.settings.scores})
    if grown != there["agglomeration"]:
        chosen = ", by auto" if parts.settings.agglomeration == "auto" else ""
        found.append(
            f"segment.agglomeration: {there['agglomeration']} there, {grown} asked for{chosen}"
        )
    return _named(found, "scores", "context")


def _other_inputs(parts: Segmented, path: Path, edges: Step) -> list[str]:
    """What edges were made from that is not there any more, where their settings are the
    config's."""
    if parts.settings.grown == "blocks":
        return _named(parts.edges(path).differs(edges), "scores", "edge_context")
    contacts, folder = parts.contacts(path), step_folder(path, "contacts")
    before = contacts.differs(load_step(folder)) if (folder / "step.json").exists() else []
    return _named(before or parts.whole_edges(path, contacts).differs(edges), "scores", "context")


def _fragments_of(edges: Step) -> Any:
    """Digest of the fragments' step that edges are made from."""
    made = edges.job.fingerprint()
    return made.get("made_from") if made.get("agglomeration") == "blocks" else made.get("fragments")


def _named(lines: Sequence[str], settings: str, context: str) -> list[str]:
    """Differences by the names that the config has for them."""
    names = {
        "settings.": f"segment.{settings}.",
        "scores.": "segment.",
        "blocks:": "segment.block:",
        "context:": f"segment.{context}:",
        "neighborhood:": "offsets of affinities:",
        "mask: None there": "segment.use_mask: False there",
        "mask: another there": "segment.use_mask: True there",
        "affinities.": "affinities: ",
        "mask.volume.": "what is known of the volume: ",
        "mask.arrays.": "what is known of the volume: ",
        "mask.": "what is known of the volume: ",
    }
    named = []
    for line in lines:
        begin = next((name for name in names if line.startswith(name)), "")
        line = names.get(begin, "") + line.removeprefix(begin)
        if line.startswith("segment.use_mask"):
            line = line.replace("another asked", "True asked").replace("None asked", "False asked")
        named.append(line)
    return named


def _refuse(path: Path, other: Sequence[str]) -> None:
    """That segmenting again would give what is there: nobody takes the scores of one checkpoint for
    those of another."""
    if other:
        raise ValueError(
            f"{path} is not what segment.py would give now: {'; '.join(other)}; run segment.py "
            f"again, or evaluate with what "
            "was asked for there"
        )


def _whole(folder: Path) -> Step:
    """A step that is whole."""
    if not (folder / "step.json").exists():
        raise ValueError(
            f"{folder} is missing; run segment.py again with the decoder of the config"
        )
    step = load_step(folder)
    undone = left(step)
    if undone:
        raise ValueError(
            f"{undone} of {len(step.grid)} blocks of {folder} are not done; run segment.py again"
        )
    return step
