"""Regions that grow over the whole volume: time and memory of the one process that joins the
contacts of all blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.process import fresh
from lsd.segmentation.on_disk.tables import FragmentPlaces
from lsd.segmentation.over_blocks.contacts import CONTACT
from lsd.segmentation.over_blocks.whole import Graph, WholeFunction, WholeJob
from lsd.spec import Segment

# fragments along each axis of a lattice, each in contact with those before it: 10^7 contacts
SIDE = 149
_HERE = "benchmarks.scale.whole"


def run(scale: float) -> dict[str, Any]:
    """Seconds and bytes for each contact; those of making them up are taken off."""
    side = max(8, round(SIDE * scale ** (1 / 3)))
    made, joined = (fresh(f"{_HERE}:{name}", side=side) for name in ("make", "join"))
    count = int(made.result)
    assert joined.result == count, "every contact is an edge"
    return {
        "contacts over the whole volume": count,
        "joining them, us of CPU each": (joined.cpu - made.cpu) / count * 1e6,
        "joining them, bytes each": (joined.peak - made.peak) * 1e6 / count,
    }


def make(*, side: int) -> int:
    """Contacts in memory, as they come from disk."""
    return len(_graph(side).contacts)


def join(*, side: int) -> int:
    """Their edges."""
    scores = Segment(caution=0.25, cautious_above=3000).scores
    job = WholeJob(made_from="", fragments="", scores=scores, apart=side**3)
    rows = WholeFunction(job, Path()).compute(None, _graph(side)).rows  # type: ignore[arg-type]
    assert rows is not None
    assert np.isfinite(rows["score"]).all()
    return len(rows)


def _graph(side: int) -> Graph:
    rng, ids = (
        np.random.default_rng(0),
        np.arange(1, side**3 + 1, dtype=np.uint64).reshape((side,) * 3),
    )
    pieces = []
    for axis in range(3):
        before, after = (
            ids[(slice(None),) * axis + (slice(0, -1),)],
            ids[(slice(None),) * axis + (slice(1, None),)],
        )
        rows = np.empty(before.size, CONTACT)
        rows["u"], rows["v"] = before.reshape(-1), after.reshape(-1)
        rows["weight"], rows["touch"] = rng.integers(1, 400, len(rows)), True
        rows["sum"] = rng.random(len(rows)) * rows["weight"]
        pieces.append(rows)
    places = FragmentPlaces.of(np.array([ids.size]), apart=ids.size)
    return Graph(places, rng.integers(30, 3000, ids.size), np.concatenate(pieces))
