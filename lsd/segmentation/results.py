"""What segmentation left on disk, read by regions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.ledger import read_ledger
from lsd.blockwise.run import left
from lsd.blockwise.step import differences, digest, load_step, step_folder
from lsd.segmentation.blocks import FRAGMENTS, MUTEX, blocks, edge_context, edge_pieces
from lsd.segmentation.mask import Mask, mask_of
from lsd.segmentation.predicted import neighborhood, origin_of, predicted
from lsd.segmentation.tables import Places, Table, have_tables, open_table, segments_of
from lsd.spec import Config, Segment
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import Array, open_array


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
        """The segment of each fragment, from disk, or, for a threshold that was not asked for before, from the edges."""
        assert self.places is not None, "the mutex decoder leaves nothing to join"
        if threshold not in self._tables:
            folder = step_folder(self.container, "edges")
            name, made_from = repr(float(threshold)), digest(load_step(folder).fingerprint)
            if have_tables(self.container, (name,), made_from):
                self._tables[threshold] = open_table(self.container, name, made_from=made_from)
            else:
                self._tables[threshold] = Table(self.places, segments_of(self.places, edge_pieces(folder), threshold))
        return self._tables[threshold]

    def read(self, roi: Roi, threshold: float | None) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, of all the world 0 where there are none; None: fragments."""
        fragments = self.array.read(roi, beyond="zero").astype(np.uint64, copy=False)
        return fragments if threshold is None or self.places is None else self.table(threshold).look_up(fragments)


def open_results(config: Config, volume: str) -> Results:
    """What `segment` wrote for a volume with the config's decoder.

    Raises ValueError, naming the file or folder, if it is missing, not whole, its edges or tables are another run's, or it was
    made from another prediction than there is now, or with other settings or blocks than the config's.
    """
    path = segmentation(config, volume)
    if not path.exists():
        raise ValueError(f"there is no segmentation of volume {volume!r} at {path}; run segment.py first")
    mutex = config.segment.decoder == "mutex"
    steps = ("mutex",) if mutex else ("fragments", "edges")
    found = {name: _whole(step_folder(path, name)) for name in steps}
    array = open_array(path, MUTEX if mutex else FRAGMENTS)
    origin = digest(found[steps[0]])
    if not mutex and found["edges"].get("fragments") != origin:
        raise ValueError(f"{step_folder(path, 'edges')} does not belong to {array.name}, it is from another run; segment again")
    _check_current(config, volume, found)
    if mutex:
        return Results(path, array, None, origin)
    folder = step_folder(path, "fragments")
    apart = int(np.prod([int(n) for n in load_step(folder).grid.write_shape], dtype=object))
    return Results(path, array, Places.of(read_ledger(folder).records["count"], apart), origin)


def _check_current(config: Config, volume: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """That segmenting again would give what is there: nobody takes the scores of one checkpoint for those of another."""
    settings = config.segment
    first = "mutex" if settings.decoder == "mutex" else "fragments"
    other = differences(found[first]["settings"], settings.model_dump(mode="json")[first], f"segment.{first}.")
    there, asked = (list(map(list, offsets)) for offsets in (found[first]["neighborhood"], neighborhood(config)))
    other += differences({"offsets of affinities": there}, {"offsets of affinities": asked})
    other += _masks(found[first]["mask"], mask_of(config, volume))
    if "edges" in found:
        other += differences(found["edges"].get("scores", {}), settings.scores, "segment.")
        other += differences(_blocks_there(found), _blocks_now(found, settings), "segment.")
        grown = found["edges"].get("agglomeration")
        if grown != settings.grown:
            chosen = ", by auto" if settings.agglomeration == "auto" else ""
            other.append(f"segment.agglomeration: {grown} there, {settings.grown} asked for{chosen}")
    kept = prediction(config, volume).exists()
    if kept and _json(origin_of(predicted(config, volume), whole=False)) != found[first]["affinities"]:
        other.append("the prediction was made anew since")
    if other:
        raise ValueError(
            f"{segmentation(config, volume)} is not what segment.py would give now: {'; '.join(other)}; run segment.py again"
        )


def _masks(there: Mapping[str, Any] | None, asked: Mask | None) -> list[str]:
    """What the mask of a segmentation and the one to use differ in."""
    if there is None or asked is None:
        return differences({"use_mask": there is not None}, {"use_mask": asked is not None}, "segment.")
    now = _json(asked.made_from)
    other = ", ".join(what for what in now if there.get(what) != now[what])
    return [f"what is known of the volume: {other} is another one, or was made anew since"] if other else []


def _json(value: Mapping[str, Any]) -> Any:
    """As it is read again."""
    return json.loads(json.dumps(dict(value)))


def _blocks_there(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The blocks that a segmentation was made in, as the config would say them."""
    there = {"block": found["fragments"]["blocks"], "context": found["fragments"]["context"][0]}
    return there | ({"edge_context": found["edges"]["context"][0]} if found["edges"].get("agglomeration") == "blocks" else {})


def _blocks_now(found: Mapping[str, Mapping[str, Any]], settings: Segment) -> dict[str, Any]:
    """What these would be with the settings."""
    grid = blocks(Roi(*found["fragments"]["roi"]), settings)
    now = {"block": [int(n) for n in grid.write_shape], "context": [int(n) for n in grid.context[0]]}
    if found["edges"].get("agglomeration") != "blocks":
        return now
    return {**now, "edge_context": [int(n) for n in edge_context(settings, grid.roi.dims)]}


def _whole(folder: Path) -> dict[str, Any]:
    """The fingerprint of a step that is whole."""
    if not (folder / "step.json").exists():
        raise ValueError(f"{folder} is missing; run segment.py again with the decoder of the config")
    step = load_step(folder)
    undone = left(step)
    if undone:
        raise ValueError(f"{undone} of {len(step.grid)} blocks of {folder} are not done; run segment.py again")
    return dict(step.fingerprint)
