"""A simulated petabyte: what is known of a million blocks of 1024^3 voxels, with 30 fragments and
100 edges each.

Writers note blocks as workers do; ledgers are read, tables are made, and a block's part of them is
used.  Beside it, one Parquet file a block, for as many blocks as are measured in a minute.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import environment, run_in
from benchmarks.scale.process import Cost, fresh
from lsd.blockwise.on_disk.ledger import Journal, read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.on_disk.tables import FragmentPlaces, open_table, write_tables
from lsd.segmentation.over_blocks.edges import EDGE, edge_pieces
from lsd.segmentation.over_blocks.fragments import SIZE

PARQUET = ("numpy==2.4.6", "pyarrow==26.0.1")
APART = 1024**3
FRAGMENTS, EDGES = 30, 100
THRESHOLDS = (0.05, 0.1, 0.2)
WRITERS = 4

# blocks whose rows are made up at once
_SLAB = 1000
_HERE = "benchmarks.scale.petabyte"


def run(scale: float) -> dict[str, Any]:
    """Seconds, MB and bytes of each step of it."""
    side = max(10, round(100 * scale ** (1 / 3)))
    # $TMPDIR may be in memory; a petabyte's tables are not
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        results = {"blocks": side**3, "edges": side**3 * EDGES, "fragments": side**3 * FRAGMENTS}
        results |= (
            _written(folder, side)
            | _read(folder, side**3)
            | _tables(folder, side**3)
            | _used(folder, side**3)
        )
        results |= {
            f"bytes a block, {name}": size / side**3 for name, size in _sizes(Path(folder)).items()
        }
        results["files"] = sum(len(files) for _, _, files in os.walk(folder))
    return results | _beside(max(500, int(10_000 * scale)))


def _written(folder: str, side: int) -> dict[str, Any]:
    since = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        parts = range(WRITERS)
        costs = list(
            pool.map(
                lambda part: fresh(f"{_HERE}:write", folder=folder, side=side, part=part), parts
            )
        )
    noting = sum(cost.result for cost in costs)
    return {
        f"written by {WRITERS} writers, s": time.perf_counter() - since,
        "noting a block in both steps, CPU us": noting / side**3 * 1e6,
        "writer, peak MB": max(cost.peak for cost in costs),
    }


def _read(folder: str, blocks: int) -> dict[str, Any]:
    cost = fresh(f"{_HERE}:read", folder=folder)
    assert cost.result == [blocks, blocks * FRAGMENTS]
    return _shown("both ledgers and places read", cost)


def _tables(folder: str, blocks: int) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for count in (1, len(THRESHOLDS)):
        cost = fresh(f"{_HERE}:tables", folder=folder, thresholds=THRESHOLDS[-count:])
        results |= _shown(f"tables of {count} threshold{'s' if count > 1 else ''}", cost)
        results |= {
            f"segments at {threshold}": segments for threshold, segments in cost.result.items()
        }
    return results


def _used(folder: str, blocks: int) -> dict[str, Any]:
    cost = fresh(f"{_HERE}:use", folder=folder, blocks=blocks)
    return {
        "opening a table, ms": cost.result[0] * 1e3,
        "a block's part of it, us": cost.result[1] * 1e6,
        "peak MB": cost.peak,
    }


def _shown(name: str, cost: Cost) -> dict[str, Any]:
    return {f"{name}, s": cost.wall, f"{name}, CPU s": cost.cpu, f"{name}, peak MB": cost.peak}


def _sizes(folder: Path) -> dict[str, int]:
    """On disk."""
    kinds = {
        "ledgers": "*.done",
        "fragments' sizes": "fragments/*.rows",
        "edges": "edges/*.rows",
        "one table": f"{THRESHOLDS[0]}.npy",
    }
    return {
        kind: sum(path.stat().st_blocks * 512 for path in folder.rglob(pattern))
        for kind, pattern in kinds.items()
    }


def _beside(blocks: int) -> dict[str, Any]:
    """One Parquet file a block, in an environment of its own, and our ledger, for as many
    blocks."""
    script = Path(__file__).parents[1] / "peers" / "parquet_blocks.py"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        theirs = json.loads(
            run_in(environment("parquet", PARQUET), script, folder, str(blocks), str(EDGES))
        )
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ours = fresh(f"{_HERE}:both_ways", folder=folder, blocks=blocks).result
    results: dict[str, Any] = {"beside Parquet: blocks": blocks}
    for name, of in (("a Parquet file a block", theirs), ("ledger", ours)):
        for what in ("write", "read"):
            results[f"{name}: {what} a block, us"] = of[what] / blocks * 1e6
            results[f"{name}: {what} a block, CPU us"] = of[f"{what} cpu"] / blocks * 1e6
        results |= {f"{name}: bytes a block": of["bytes"] / blocks, f"{name}: files": of["files"]}
    results["ratio"] = (theirs["write cpu"] + theirs["read cpu"]) / (
        ours["write cpu"] + ours["read cpu"]
    )
    return results


def write(*, folder: str, side: int, part: int) -> float:
    """Every so-many-th slab of blocks, noted as the steps "fragments" and "edges" do; returns CPU
    seconds of that alone."""
    sizes, edges = (
        Journal(Path(folder) / "blocks" / "fragments"),
        Journal(Path(folder) / "blocks" / "edges"),
    )
    noting = 0.0
    for begin in range(part * _SLAB, side**3, WRITERS * _SLAB):
        blocks = np.arange(begin, min(begin + _SLAB, side**3))
        some = (
            np.random.default_rng(begin)
            .integers(100, 10**6, len(blocks) * FRAGMENTS)
            .astype("<u8")
            .view(SIZE)
        )
        rows = graph(blocks, side)
        since = time.process_time()
        for place, index in enumerate(blocks.tolist()):
            _note(sizes, index, some[place * FRAGMENTS : (place + 1) * FRAGMENTS])
            _note(edges, index, rows[place * EDGES : (place + 1) * EDGES])
        noting += time.process_time() - since
    sizes.close()
    edges.close()
    return noting


def _note(journal: Journal, index: int, rows: NDArray[Any]) -> None:
    journal.append(index, digest=Output(rows=rows).digest(), rows=rows, seconds=1.0)


def graph(blocks: NDArray[np.int64], side: int) -> NDArray[Any]:
    """Edges of these blocks of a cube of side^3: half of them inside, half to the blocks before
    along each axis."""
    rng, count = np.random.default_rng(int(blocks[0])), len(blocks) * EDGES
    block, axis = np.repeat(blocks, EDGES), rng.integers(0, 6, count)
    stride = np.array([1, side, side**2, 0, 0, 0])[axis]
    # none before the first: an edge inside instead
    other = np.where(block // np.maximum(stride, 1) % side > 0, block - stride, block)
    ids = [b * APART + rng.integers(1, FRAGMENTS + 1, count) for b in (block, other)]
    rows = np.empty(count, EDGE)
    rows["u"], rows["v"] = np.minimum(*ids), np.maximum(*ids)
    rows["score"] = rng.random(count, dtype=np.float32)
    return rows


def read(*, folder: str) -> tuple[int, int]:
    """What a step that goes on does first: blocks that are not done, and the places of
    fragments."""
    fragments, edges = (
        read_ledger(Path(folder) / "blocks" / name) for name in ("fragments", "edges")
    )
    assert not len(edges.missing(len(fragments)))
    return len(edges), len(FragmentPlaces.of(fragments.records["count"], APART))


def tables(*, folder: str, thresholds: list[float]) -> dict[str, int]:
    """The tables of these thresholds; returns how many segments each has."""
    places = FragmentPlaces.of(
        read_ledger(Path(folder) / "blocks" / "fragments").records["count"], APART
    )
    edges = Path(folder) / "blocks" / "edges"
    write_tables(
        Path(folder),
        thresholds,
        places=places,
        edges=lambda: edge_pieces(edges),
        names=str,
        made_from="simulated",
    )
    return {str(threshold): _segments(folder, str(threshold)) for threshold in thresholds}


def _segments(folder: str, name: str, piece: int = 1 << 20) -> int:
    table = open_table(Path(folder), name)
    begins = range(0, len(table.places), piece)
    ends = [min(begin + piece, len(table.places)) for begin in begins]
    return sum(
        int((table.segments[b:e] == table.places.ids(b, e)).sum())
        for b, e in zip(begins, ends, strict=True)
    )


def use(*, folder: str, blocks: int, times: int = 1000) -> tuple[float, float]:
    """Seconds to open a table, and for a block's part of it."""
    since = time.perf_counter()
    table = open_table(Path(folder), str(THRESHOLDS[0]))
    opened = time.perf_counter()
    for index in np.random.default_rng(0).integers(0, blocks, times):
        assert len(table.of_block(int(index))) == FRAGMENTS
    return opened - since, (time.perf_counter() - opened) / times


def both_ways(*, folder: str, blocks: int) -> dict[str, float]:
    """Edges of so many blocks noted by one writer, and all of them read: as the Parquet script does
    it."""
    side = round(blocks ** (1 / 3)) + 1
    rows, begin = graph(np.arange(blocks), side), _now()
    journal = Journal(Path(folder))
    for index in range(blocks):
        _note(journal, index, rows[index * EDGES : (index + 1) * EDGES])
    journal.close()
    middle = _now()
    assert sum(len(piece) for piece in edge_pieces(Path(folder))) == blocks * EDGES
    return {
        **_between("write", begin, middle),
        **_between("read", middle, _now()),
        **_on_disk(Path(folder)),
    }


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _between(what: str, begin: tuple[float, float], end: tuple[float, float]) -> dict[str, float]:
    return {what: end[0] - begin[0], f"{what} cpu": end[1] - begin[1]}


def _on_disk(folder: Path) -> dict[str, float]:
    paths = list(_files(folder))
    return {"bytes": sum(path.stat().st_blocks * 512 for path in paths), "files": len(paths)}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
