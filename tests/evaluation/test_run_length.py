"""Expected run length: cases by hand, by definition, and numbers of public tools."""

from itertools import combinations, pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from lsd.evaluation.skeletons import EDGES, Skeletons, expected_run_length, labels_at

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
LARGE = 2**64 - 1


def chains(*lengths: int, spacing: float = 10.0) -> Skeletons:
    """Skeletons 1, 2, ..: straight lines of so many nodes each."""
    first = np.cumsum([0, *lengths])
    ids = np.arange(1, first[-1] + 1)
    edges = [(n, n + 1) for a, b in pairwise(first) for n in range(a + 1, b)]
    positions = np.stack([ids * 0, ids * 0, ids * spacing], axis=1)
    return Skeletons(ids, np.repeat(np.arange(1, len(lengths) + 1), lengths), positions, edges)


def test_perfect() -> None:
    found = expected_run_length(chains(5, 11), [8] * 5 + [9] * 11)
    # (40^2 + 100^2) / 140
    assert found.max_erl == pytest.approx(11600 / 140)
    assert found.erl == found.max_erl
    assert found.nerl == 1
    assert (found.correct, found.correct_length, found.edge_accuracy) == (14, 140, 1)


def test_kinds_of_edges_by_hand() -> None:
    skeletons = chains(6, 5)
    found = expected_run_length(skeletons, [1, 1, 2, 2, 0, 0, 3, 3, 3, 2, 2])
    # 1-1, 1|2, 2-2 (merged), 2|0, 0|0; 3-3-3, 3|2, 2-2 (merged)
    assert [getattr(found, kind) for kind in EDGES] == [3, 2, 2, 2]
    assert [getattr(found, f"{kind}_length") for kind in EDGES] == [30, 20, 20, 20]
    assert found.erl == pytest.approx((10**2 + 20**2) / 90)
    assert found.max_erl == pytest.approx((50**2 + 40**2) / 90)
    assert (found.merging_segments, found.skeletons_too_many, found.segments_too_many) == (1, 1, 2)
    rows = found.per_skeleton.as_rows()
    assert [row["run_length"] for row in rows] == [100 / 50, 400 / 40]
    assert [row["segments_too_many"] for row in rows] == [1, 1]
    assert [row["merging_segments"] for row in rows] == [1, 1]
    assert [row["omitted"] for row in rows] == [2, 0]
    assert found.edge_accuracy == pytest.approx(1 / 3)
    assert found.length_accuracy == pytest.approx(1 / 3)


def test_background_merges_nothing_and_an_id_of_0_is_a_skeleton() -> None:
    skeletons = Skeletons([1, 2, 3, 4], [0, 0, 5, 5], np.eye(4, 3), [(1, 2), (3, 4)])
    found = expected_run_length(skeletons, [0, 0, 0, 0])
    assert (found.omitted, found.merging_segments, found.erl) == (2, 0, 0)
    assert expected_run_length(skeletons, [3, 3, 4, 4]).nerl == 1


def test_undefined_is_none() -> None:
    nothing = expected_run_length(Skeletons([], [], [], []), [])
    assert (nothing.erl, nothing.max_erl, nothing.nerl) == (None, None, None)
    lonely = expected_run_length(Skeletons([1, 2], [1, 2], np.zeros((2, 3)), []), [4, 4])
    assert (lonely.erl, lonely.nerl, lonely.edge_accuracy) == (None, None, None)
    assert (lonely.merging_segments, lonely.skeletons_too_many) == (1, 1)
    assert [row["run_length"] for row in lonely.per_skeleton.as_rows()] == [None, None]
    assert "undefined" in str(lonely)


def test_a_lonely_node_is_evidence_of_a_merge_and_adds_no_length() -> None:
    positions = [[0, 0, 0], [0, 0, 10], [5, 5, 5]]
    skeletons = Skeletons([1, 2, 3], [1, 1, 2], positions, [(1, 2)])
    found = expected_run_length(skeletons, [7, 7, 7])
    assert (found.merged, found.erl) == (1, 0)
    assert expected_run_length(skeletons, [7, 7, 8]).nerl == 1


def test_ids_above_2_to_53_stay_apart() -> None:
    skeletons = Skeletons(
        [LARGE, LARGE - 1, 1, 2],
        [LARGE - 5, LARGE - 5, LARGE - 6, LARGE - 6],
        np.diag([1.0, 2, 3, 4])[:, :3],
        [(LARGE, LARGE - 1), (1, 2)],
    )
    apart = np.array([LARGE, LARGE, LARGE - 1, LARGE - 1], np.uint64)
    assert expected_run_length(skeletons, apart).nerl == 1
    assert expected_run_length(skeletons, apart // 2**20).nerl == 0


def test_far_positions_keep_their_precision() -> None:
    """At 0.3 m, a float32 is 32 nm coarse."""
    skeletons = chains(11)
    far = Skeletons(
        skeletons.node_ids, skeletons.skeleton_ids, skeletons.positions + 3e8, skeletons.edges
    )
    assert expected_run_length(far, [1] * 11).erl == pytest.approx(100, abs=1e-4)


def test_tolerance_in_nodes_and_in_nm() -> None:
    """Three nodes of the second skeleton in the segment of the first, 10 nm apart."""
    skeletons = chains(10, 10)
    segments = [1] * 10 + [1] * 3 + [2] * 7
    strict = expected_run_length(skeletons, segments, tolerance=2)
    assert (strict.merged, strict.merging_segments) == (11, 1)
    tolerant = expected_run_length(skeletons, segments, tolerance=3)
    assert (tolerant.merged, tolerant.merging_segments, tolerant.split) == (0, 0, 1)
    # edges of the stray piece are correct where it does not count
    assert tolerant.erl == pytest.approx((90**2 + 20**2 + 60**2) / 180)
    # the end of a line stands for half an edge: 5 + 10 + 10
    for nm, merges in ((24.9, 1), (25.0, 0), (0, 1)):
        found = expected_run_length(skeletons, segments, tolerance_nm=nm)
        assert found.merging_segments == merges, nm
    assert found.as_dict()["tolerance_nm"] == 0


@pytest.mark.parametrize(
    ("tolerance", "nm", "count"),
    [(0, None, 0), (4, None, 0), (5, None, 1), (11, None, 2), (0, 40, 1), (0, 99, 1), (0, 100, 2)],
)
def test_what_is_shorter_than_a_tolerance_is_told(tolerance, nm, count) -> None:
    """Both neurons in one segment: merges are seen only of those that are longer."""
    found = expected_run_length(chains(5, 11), [1] * 16, tolerance=tolerance, tolerance_nm=nm)
    assert found.too_short == found.as_dict()["too_short"] == count
    assert found.merging_segments == (1 if count == 0 else 0)
    assert found.pool([found]).too_short == 2 * count
    told = [f"nERL {found.name}: {count} of 2 skeletons have no more than that, and never count as "
            "merged"]  # fmt: skip
    assert found.remarks() == (told if count else [])


def test_tolerance_discards_by_pair() -> None:
    """Two skeletons merge; of a third a stray node lies in the same segment, and its edge is none
    of the merge."""
    skeletons = chains(5, 5, 5)
    found = expected_run_length(skeletons, [1] * 10 + [1, 1, 2, 2, 2], tolerance=2)
    assert (found.merged, found.split, found.correct) == (8, 1, 3)
    assert (found.merging_segments, found.skeletons_too_many) == (1, 1)


def test_runs_may_hang_together() -> None:
    skeletons = chains(9)
    segments = [1, 1, 1, 1, 0, 1, 1, 1, 1]
    whole = expected_run_length(skeletons, segments)
    hanging = expected_run_length(skeletons, segments, runs="connected")
    assert whole.erl == pytest.approx(60**2 / 80)
    assert hanging.erl == pytest.approx(2 * 30**2 / 80)
    assert hanging.runs == "connected"


@pytest.mark.parametrize(
    ("segments", "options", "says"),
    [
        ([1, 2], {}, r"segments have shape \(2,\); wanted: \(5,\)"),
        ([1.0] * 5, {}, "segments: ids must be whole numbers, .*float64"),
        ([-1] * 5, {}, "segments: ids are 0"),
        ([1] * 5, {"tolerance": -1}, "tolerance is -1"),
        ([1] * 5, {"tolerance_nm": float("nan")}, "tolerance_nm nan"),
        ([1] * 5, {"runs": "longest"}, "allowed: segment, connected"),
    ],
)
def test_refuses(segments, options, says) -> None:
    with pytest.raises(ValueError, match=says):
        expected_run_length(chains(5), segments, **options)


def by_definition(skeletons, segments, *, tolerance=0, tolerance_nm=None, runs="segment"):
    """Edge by edge, with dictionaries and sets."""
    position = dict(zip(skeletons.node_ids.tolist(), skeletons.positions, strict=True))
    of = dict(zip(skeletons.node_ids.tolist(), skeletons.skeleton_ids.tolist(), strict=True))
    at = dict(zip(skeletons.node_ids.tolist(), segments, strict=True))
    edges = [
        (u, v, float(np.linalg.norm(position[u] - position[v])))
        for u, v in skeletons.edges.tolist()
    ]
    nodes: dict = {}
    share: dict = {}
    for node, segment in at.items():
        if segment:
            nodes[of[node], segment] = nodes.get((of[node], segment), 0) + 1
    for u, v, length in edges:
        for node in (u, v):
            share[of[node], at[node]] = share.get((of[node], at[node]), 0) + length / 2
    counting = {
        pair
        for pair, count in nodes.items()
        if count > tolerance and (not tolerance_nm or share.get(pair, 0) > tolerance_nm)
    }
    merging = {
        pair
        for one, other in combinations(counting, 2)
        if one[1] == other[1]
        for pair in (one, other)
    }
    counts = dict.fromkeys(EDGES, 0)
    runs_of: dict = {}
    for u, v, length in edges:
        if not (at[u] and at[v]):
            kind = "omitted"
        elif at[u] != at[v]:
            kind = "split"
        elif (of[u], at[u]) in merging:
            kind = "merged"
        else:
            kind = "correct"
            runs_of.setdefault((of[u], at[u]), []).append((u, v, length))
        counts[kind] += 1
    squares = sum(_square(run, runs) for run in runs_of.values())
    total = sum(length for *_, length in edges)
    own = {s: sum(length for u, _, length in edges if of[u] == s) for s in set(of.values())}
    return (
        squares / total,
        sum(length**2 for length in own.values()) / total,
        counts,
        len({segment for _, segment in merging}),
        len(merging) - len({segment for _, segment in merging}),
    )


def _square(run, runs):
    if runs == "segment":
        return sum(length for *_, length in run) ** 2
    groups: list = []
    for u, v, length in run:
        touching = [group for group in groups if {u, v} & group[0]]
        groups = [group for group in groups if group not in touching]
        merged = ({u, v}.union(*(g[0] for g in touching)), length + sum(g[1] for g in touching))
        groups.append(merged)
    return sum(length**2 for _, length in groups)


@pytest.mark.parametrize("runs", ["segment", "connected"])
@pytest.mark.parametrize("tolerance", [{}, {"tolerance": 3}, {"tolerance_nm": 2.5}])
def test_equals_the_definition(runs, tolerance) -> None:
    rng = np.random.default_rng(3)
    for _ in range(8):
        n = 60
        ids = rng.choice(10**6, n, replace=False)
        owners = rng.integers(0, 6, n)
        pairs = [
            (int(ids[i]), int(ids[j]))
            for i, j in combinations(range(n), 2)
            if owners[i] == owners[j] and rng.random() < 0.25
        ]
        skeletons = Skeletons(ids, owners, rng.uniform(0, 5, (n, 3)), pairs)
        segments = (owners * (rng.random(n) < 0.8) + rng.integers(0, 2, n)).tolist()
        found = expected_run_length(skeletons, segments, runs=runs, **tolerance)
        erl, most, counts, merging, too_many = by_definition(
            skeletons, segments, runs=runs, **tolerance
        )
        assert found.erl == pytest.approx(erl)
        assert found.max_erl == pytest.approx(most)
        assert {kind: getattr(found, kind) for kind in EDGES} == counts
        assert (found.merging_segments, found.skeletons_too_many) == (merging, too_many)


def test_a_million_nodes_take_seconds() -> None:
    skeletons = chains(*[1000] * 1000)
    segments = np.repeat(np.arange(1, 10_001, dtype=np.uint64), 100)
    found = expected_run_length(skeletons, segments)
    assert found.split == 9000
    assert found.erl == pytest.approx(10 * 990**2 / 9990)


@REAL
@pytest.mark.slow
def test_snemi3d_fragments() -> None:
    """Numbers that two public tools agree on to 0.03 nm."""
    group = zarr.open(str(DATA / "snemi3d_fragments.zarr"), "r")
    file = np.load(DATA / "snemi3d_fragments_skeletons.npz")
    ids = np.arange(1, len(file["skeleton_id"]) + 1)
    skeletons = Skeletons(ids, file["skeleton_id"], file["node_zyx_nm"], ids[file["edges"]])
    fragments = group["volumes/predictions/fragments"][:]
    segments = labels_at(fragments, skeletons.positions, voxel_size=(30, 18, 18))
    found = expected_run_length(skeletons, segments)
    assert found.erl == pytest.approx(632.10, abs=0.01)
    assert found.max_erl == pytest.approx(8315.85, abs=0.01)
    assert (found.split, found.merged) == (2123, 16191)
    assert (found.merging_segments, found.skeletons_too_many) == (257, 359)


@REAL
@pytest.mark.slow
def test_em_erl() -> None:
    """Two axons; what the public tool gives for the truth, a prediction, and with a mask."""
    skeletons = _axons()
    arrays = {name: _volume(f"vol_{name}") for name in ("gt", "pred", "no-mask")}
    at = {
        name: labels_at(a, skeletons.positions, voxel_size=(30,) * 3) for name, a in arrays.items()
    }
    truth = expected_run_length(skeletons, at["gt"])
    assert (truth.erl, truth.nerl) == (pytest.approx(4166.81, abs=0.01), 1)
    found = expected_run_length(skeletons, at["pred"])
    assert found.erl == pytest.approx(2952.02, abs=0.01)
    assert (found.split, found.merging_segments) == (1, 0)
    # what a segment holds of the mask belongs to no axon: a node there, without edges, says so
    inside = np.argwhere(arrays["no-mask"] > 0)[:1]
    masked = Skeletons(
        np.arange(len(skeletons) + 1),
        [*skeletons.skeleton_ids, 99],
        np.concatenate([skeletons.positions, (inside + 0.5) * 30]),
        skeletons.edges,
    )
    segments = [*at["pred"], arrays["pred"][tuple(inside[0])]]
    assert expected_run_length(masked, segments).erl == pytest.approx(1170.19, abs=0.01)


def _axons() -> Skeletons:
    graph = np.load(DATA / "em_erl" / "gt_graph.npz")
    nodes = graph["nodes"]
    edges = np.concatenate([graph["edges_0"][:, :2], graph["edges_1"][:, :2]]).astype(int)
    return Skeletons(np.arange(len(nodes)), nodes[:, 0], nodes[:, 1:], edges)


def _volume(name: str) -> np.ndarray:
    with h5py.File(DATA / "em_erl" / f"{name}.h5") as file:
        return file["main"][:]
