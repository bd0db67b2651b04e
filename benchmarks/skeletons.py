"""Scores along skeletons: 45,000 nodes against a volume on disk in blocks, beside a public tool in
an environment of its own; a million nodes; and the edits of 500 neurons."""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from benchmarks.environment import environment, run_in
from benchmarks.volumes import labellings
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.mincut import min_cut_metric
from lsd.evaluation.skeletons import expected_run_length
from lsd.volumes.array import Array
from lsd.volumes.create import create_array
from lsd.volumes.skeletons.at_nodes import labels_on_disk

# tqdm is imported by it, and not named
PEER = ("segmentation-skeleton-metrics==5.9.14", "tqdm")
VOXEL_SIZE = (10.0, 10.0, 10.0)


def run(*, size: int = 250, nodes: int = 45_000, neurons: int = 500) -> dict[str, Any]:
    """CPU seconds of each, and what they found; size: voxels a side of the volume."""
    name, segmentation, truth = labellings(size)
    lines = lines_through(truth, nodes)
    found: dict[str, Any] = {"volume": f"{name} {truth.shape}", "nodes": len(lines)}
    with tempfile.TemporaryDirectory() as folder:
        array = _written(segmentation, Path(folder) / "volume.zarr")
        theirs = _peer(lines, array, Path(folder))
        start, wall = time.process_time(), time.perf_counter()
        segments = labels_on_disk(array, lines.positions)
        read, read_wall = time.process_time() - start, time.perf_counter() - wall
    start = time.process_time()
    scored = expected_run_length(lines, segments)
    found |= {
        "ours: segments at nodes, s": read,
        "ours: segments at nodes, wall s": read_wall,
        "ours: run lengths and counts, s": time.process_time() - start,
        "theirs: labels at nodes, s": theirs["read"],
        "theirs: labels at nodes, wall s": theirs["read, wall"],
        "theirs: split edges, s": theirs["scored"],
        "theirs: nodes": theirs["nodes"],
        "ratio": theirs["read"] / read,
        "ERL, nm": scored.erl,
        "split edges": scored.split,
    }
    found |= _million()
    return found | _edits(neurons)


def lines_through(truth: NDArray[np.uint64], nodes: int) -> Skeletons:
    """Voxels of each label, drawn at random, joined from section to section."""
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, truth.shape, (nodes, 3))
    owner = truth[tuple(voxels.T)]
    order = np.lexsort((voxels[:, 0], owner))
    order = order[owner[order] > 0]
    voxels, owner = voxels[order], owner[order]
    first = np.flatnonzero(owner[1:] == owner[:-1])
    edges = np.stack([first, first + 1], axis=1)
    ids = np.arange(len(owner), dtype=np.uint64)
    return Skeletons(ids, owner, (voxels + 0.5) * VOXEL_SIZE, edges.astype(np.uint64))


def _peer(lines: Skeletons, array: Array, folder: Path) -> dict[str, Any]:
    """What it says of skeletons with edges, which it reads as SWC, in voxels, of a ZIP."""
    python = environment("skeletons", PEER)
    script = Path(__file__).parent / "peers" / "skeleton_metrics.py"
    words = run_in(
        python, script, str(_zipped(lines, folder)), str(array.source.path / array.source.name)
    )
    answer: dict[str, Any] = json.loads(words.splitlines()[-1])
    return answer


def _zipped(lines: Skeletons, folder: Path) -> Path:
    """An SWC file for each skeleton that has an edge, in voxels, z y x."""
    voxels = (lines.positions // VOXEL_SIZE).astype(int)
    parent = np.full(len(lines), -1)
    parent[lines.places[:, 1]] = lines.places[:, 0] + 1
    with zipfile.ZipFile(folder / "lines.zip", "w") as file:
        for skeleton in np.unique(lines.skeleton_ids[lines.places]):
            rows = [
                f"{i + 1} 2 {' '.join(map(str, voxels[i]))} 1 {parent[i]}"
                for i in np.flatnonzero(lines.skeleton_ids == skeleton)
            ]
            file.writestr(f"{skeleton}.swc", "\n".join(rows) + "\n")
    return folder / "lines.zip"


def _written(segmentation: NDArray[np.uint64], path: Path) -> Array:
    roi = Roi((0, 0, 0), segmentation.shape)
    array = create_array(path, "segments", roi=roi, voxel_size=VOXEL_SIZE, dtype=np.uint64)
    array.write(segmentation, roi)
    return array


def _million() -> dict[str, Any]:
    """A thousand lines of a thousand nodes, ten of which are a segment."""
    count = 1_000_000
    ids = np.arange(count, dtype=np.uint64)
    inner = ids[ids % 1000 > 0]
    positions = np.stack([ids * 0.0, ids * 0.0, ids * 10.0], axis=1)
    lines = Skeletons(ids, ids // 1000, positions, np.stack([inner - 1, inner], axis=1))
    start = time.process_time()
    expected_run_length(lines, ids // 100 + 1)
    return {"a million nodes, s": time.process_time() - start}


def _edits(neurons: int) -> dict[str, Any]:
    """Neurons as chains of fragments side by side, each a node; neighbours touch all along, and one
    edge in twenty of those between two neurons is as good as one within."""
    rng, length = np.random.default_rng(1), 100
    fragments = np.arange(1, neurons * length + 1, dtype=np.uint64).reshape(neurons, length)
    within = np.stack([fragments[:, :-1].ravel(), fragments[:, 1:].ravel()], axis=1)
    between = np.stack([fragments[:-1].ravel(), fragments[1:].ravel()], axis=1)
    scores = np.concatenate([rng.uniform(0, 0.5, len(within)), rng.uniform(0.4, 0.9, len(between))])
    wrong = rng.random(len(between)) < 0.05
    scores[len(within) :][wrong] = rng.uniform(0.1, 0.4, int(wrong.sum()))
    places = np.stack(np.meshgrid(np.arange(neurons), np.arange(length), indexing="ij"), axis=-1)
    positions = np.concatenate([places.reshape(-1, 2) * 100.0, np.zeros((fragments.size, 1))], 1)
    owner = np.repeat(np.arange(neurons, dtype=np.uint64), length)
    ids = fragments.ravel()
    lines = Skeletons(ids, owner, positions, within)
    edges = np.concatenate([within, between])
    found: dict[str, float | str] = {}
    for threshold in (0.3, 0.45):
        start = time.process_time()
        edits = min_cut_metric(lines, ids, edges, scores.astype(np.float32), threshold)
        seconds = time.process_time() - start
        found[f"edits of {neurons} neurons at {threshold}, s"] = seconds
        found[f"edits at {threshold}"] = f"{edits.splits} splits + {edits.merges} merges"
    return found


def main() -> None:
    """Prints what was measured."""
    for name, value in run().items():
        print(f"{name:40} {value if isinstance(value, str) else format(value, '10.4g')}")


if __name__ == "__main__":
    main()
