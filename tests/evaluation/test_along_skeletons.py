"""Scores along skeletons of what segmentation left on disk, against functions over whole arrays."""

import json

import numpy as np
import pytest
from segmented_volumes import (
    NAMES,
    ROI,
    VOXEL_SIZE,
    only,
    segments_of,
    truth_of,
    with_evaluate,
)

from lsd.arrays.skeletons import Skeletons, labels_at
from lsd.evaluation.along_skeletons import at_nodes
from lsd.evaluation.mincut import edits, min_cut_metric
from lsd.evaluation.run import evaluate
from lsd.evaluation.skeletons import expected_run_length
from lsd.report.run import draw_figures
from lsd.report.table import scores_table, skeletons_table
from lsd.segmentation.on_disk.results import JoinedResults
from lsd.segmentation.results import open_results
from lsd.segmentation.threshold import array_name, picked
from lsd.spec import Nerl
from lsd.spec.paths import evaluation_file
from lsd.volumes.array import Array
from lsd.volumes.skeletons import write_skeletons

BEGIN = np.multiply(ROI.begin, VOXEL_SIZE)


def lines_of(name, count=400):
    """Voxels of each label, drawn at random, joined one after another from top to bottom; two
    nodes lie outside of what was segmented."""
    labels, rng = truth_of(NAMES.index(name)), np.random.default_rng(5)
    voxels = np.unique(rng.integers(0, ROI.shape, (count, 3)), axis=0)
    owner = labels[tuple(voxels.T)]
    voxels, owner = voxels[owner > 0], owner[owner > 0]
    positions = (voxels + 0.5) * VOXEL_SIZE + BEGIN
    positions = np.concatenate([positions, [[-50.0, 0, 0], [9e4, 9e4, 9e4]]])
    owner = np.append(owner, [1, 2]).astype(np.uint64)
    ids = np.arange(len(owner)) * 3 + 7
    edges = [
        pair
        for label in np.unique(owner)
        for pair in zip(ids[owner == label][:-1], ids[owner == label][1:], strict=True)
    ]
    return Skeletons(ids, owner, positions, edges)


@pytest.fixture
def traced(config, tmp_path):
    """The run whose volumes a and c have skeletons; b has none."""
    parts = {}
    for part in ("validate", "test"):
        volumes = getattr(config.dataset, part)
        parts[part] = tuple(
            volume.derive(skeletons=f"{volume.name}.npz") if volume.name != "b" else volume
            for volume in volumes
        )
    for name in ("a", "c"):
        write_skeletons(lines_of(name), tmp_path / f"{name}.npz")
    return config.derive(dataset=config.dataset.derive(**parts))


def inside(lines):
    return lines.cropped(BEGIN, BEGIN + np.multiply(ROI.shape, VOXEL_SIZE))


def at(lines, config, name, what):
    array = segments_of(config, name, what)
    return labels_at(array, lines.positions, voxel_size=VOXEL_SIZE, offset=BEGIN)


def graph(config, name):
    rows = np.concatenate(list(open_results(config, name).edges()))
    return np.stack([rows["u"], rows["v"]], axis=1), rows["score"]


def same(found, expected):
    """Of JSON; but for the last bits of sums."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_scores_are_those_of_the_arrays(traced) -> None:
    """At all thresholds and tolerances, and of fragments; blocks that cut chunks and lines."""
    config = with_evaluate(
        traced, block=(5, 22, 10), skeletons={"tolerances": (0, 3), "tolerances_nm": (40,)}
    )
    found = evaluate(config)
    assert list(found.volumes) == list(NAMES)
    assert list(found.skeletons) == ["a", "c"]
    written = json.loads(evaluation_file(config).read_text())
    for name in ("a", "c"):
        lines, volume = inside(lines_of(name)), written["skeletons"]["volumes"][name]
        fragments = at(lines, config, name, "fragments")
        edges, scores = graph(config, name)
        assert len(lines) < len(lines_of(name))
        for threshold in config.segment.thresholds:
            segments = at(lines, config, name, array_name(threshold))
            swept = volume["sweep"][repr(threshold)]
            for key, options in {
                "0 nodes": {},
                "3 nodes": {"tolerance": 3},
                "40 nm": {"tolerance_nm": 40},
            }.items():
                expected = expected_run_length(lines, segments, **options)
                same(swept["run_lengths"][key], expected.as_dict())
            edits = min_cut_metric(lines, fragments, edges, scores, threshold)
            assert swept["edits"] == edits.as_dict()
        assert volume["scores"] == volume["sweep"][repr(found.threshold)]
        alone = expected_run_length(lines, fragments)
        assert volume["fragments"]["run_lengths"]["0 nodes"]["erl"] == pytest.approx(alone.erl)
        assert volume["fragments"]["edits"]["splits"] == 0
    rows = written["skeletons"]["volumes"]["c"]["per_skeleton"]
    at_threshold = at(lines, config, "c", array_name(found.threshold))
    expected = expected_run_length(lines, at_threshold, tolerance=3).per_skeleton
    assert [row["skeleton"] for row in rows] == expected.skeleton_ids.tolist()
    assert [row["run_lengths"]["3 nodes"] for row in rows] == pytest.approx(expected.run_lengths)
    cuts = min_cut_metric(lines, fragments, edges, scores, found.threshold).per_skeleton
    assert [row["cuts"] for row in rows] == cuts.cuts.tolist()
    assert sum(row["merges"] for row in rows) == cuts.merges.sum()


def test_fragments_at_nodes_are_read_once_and_no_chunk_twice(traced, monkeypatch) -> None:
    """For all thresholds, and again not at all in a second evaluation of the same nodes."""
    read, whole = [], Array.read

    def noting(self, roi, **options):
        if self.name.endswith("fragments/0") or self.name.endswith("fragments"):
            read.append((self, roi))
        return whole(self, roi, **options)

    config = with_evaluate(only(traced, "c"), metric="nerl")
    monkeypatch.setattr(Array, "read", noting)
    first = evaluate(config)
    chunks = [
        chunk for array, roi in read for chunk in array.source._grid(array.layout.slices(roi))
    ]
    assert chunks
    assert len(chunks) == len(set(chunks))
    read.clear()
    assert evaluate(config).as_dict() == first.as_dict()
    assert not read
    fewer = with_evaluate(config, region=((4, 12), (2, 20), (6, 20)))
    assert evaluate(fewer).volumes["c"].scored is None
    assert read, "other nodes"


@pytest.mark.parametrize("metric", ["nerl", Nerl(tolerance=4), "mcm"])
def test_validation_picks_the_threshold(traced, metric) -> None:
    """The one that is best along the skeletons of validation, whatever the VOI."""
    config = with_evaluate(traced, metric=metric)
    lines = inside(lines_of("a"))
    fragments, (edges, scores) = at(lines, config, "a", "fragments"), graph(config, "a")
    objective = {}
    for threshold in config.segment.thresholds:
        if metric == "mcm":
            objective[threshold] = min_cut_metric(lines, fragments, edges, scores, threshold).mcm
        else:
            segments = at(lines, config, "a", array_name(threshold))
            tolerance = 0 if metric == "nerl" else metric.tolerance
            objective[threshold] = (
                1 - expected_run_length(lines, segments, tolerance=tolerance).nerl
            )
    assert len(set(objective.values())) > 1
    found = evaluate(config)
    assert list(found.volumes) == ["a", "c"], "b has no skeletons"
    assert found.threshold == min(objective, key=objective.get)
    assert found.chosen_on == "validation volumes: a"
    scored = found.volumes["a"].scored
    assert scored.objective == pytest.approx(objective[found.threshold])


def test_what_is_shown(traced) -> None:
    """Sections of a volume with labels though no voxel was counted; curves and tables."""
    config = with_evaluate(only(traced, "a"), metric="nerl")
    found = evaluate(config)
    assert {path.name for path in draw_figures(config, found)} == {
        "evaluation_sweep.png",
        "evaluation_skeletons_sweep.png",
        "evaluation_a.png",
    }
    assert "nERL  ERL (nm)" in scores_table(found)
    table = skeletons_table(found)
    for heading in ("nERL 5 nodes", "nERL 500 nm", "split edges", "MCM"):
        assert heading in table
    score = found.skeletons["a"].scored
    assert all(f"a: {line}" in table for line in score.remarks())
    assert "never count as merged" in table, "lines of the test are short"


def test_a_threshold_stays_picked_where_somebody_traced_since(config, traced) -> None:
    """And where more is told along skeletons, but not where the metric is against them."""
    found = evaluate(config)
    assert picked(traced) == found.threshold
    assert picked(with_evaluate(traced, skeletons={"tolerances": 9})) == found.threshold
    evaluate(with_evaluate(traced, metric="nerl"))
    assert picked(with_evaluate(traced, metric="nerl")) is not None
    assert picked(with_evaluate(traced, metric="nerl", skeletons={"runs": "connected"})) is None
    assert picked(with_evaluate(config, metric="nerl")) is None


def test_nodes_outside_may_lie_on_background(traced) -> None:
    config = with_evaluate(only(traced, "c"), skeletons={"outside": "omit", "tolerances": 0})
    found = evaluate(config).skeletons["c"].sweep[0.4].run_lengths[0]
    lines = lines_of("c")
    expected = expected_run_length(lines, at(lines, config, "c", array_name(0.4)))
    assert found.omitted == expected.omitted
    assert found.erl == pytest.approx(expected.erl)
    assert (
        expected.omitted
        > expected_run_length(
            inside(lines), at(inside(lines), config, "c", array_name(0.4))
        ).omitted
    )


def test_edits_are_counted_once(traced, monkeypatch) -> None:
    """At each threshold, and of fragments, also where the metric is what else is told."""
    counted = []

    def noting(*arguments, threshold, **others):
        counted.append(threshold)
        return edits(*arguments, threshold=threshold, **others)

    monkeypatch.setattr(at_nodes, "edits", noting)
    config = with_evaluate(only(traced, "c"), metric="mcm")
    evaluate(config)
    at_thresholds = [threshold for threshold in counted if threshold is not None]
    assert sorted(at_thresholds) == sorted(config.segment.thresholds)


def test_edits_alone(traced) -> None:
    """Where no run length is asked for."""
    none = {"tolerances": (), "tolerances_nm": ()}
    found = evaluate(with_evaluate(only(traced, "c"), skeletons=none)).skeletons["c"]
    scored = found.sweep[0.4]
    expected = scored.edits.per_skeleton.as_rows()
    assert len(expected) > 1
    assert scored.per_skeleton() == [{**row, "run_lengths": {}} for row in expected]
    assert scored.objective == scored.edits.mcm


def test_scores_of_volumes_are_pooled_as_one(traced) -> None:
    found = evaluate(traced)
    one, other = (found.skeletons[name].scored for name in ("a", "c"))
    pooled = one.pool([other])
    lengths = [score.run_lengths[0] for score in (one, other)]
    squares = sum(each.erl * each.length for each in lengths)
    assert pooled.run_lengths[0].erl == pytest.approx(squares / sum(e.length for e in lengths))
    assert pooled.run_lengths[0].split == sum(each.split for each in lengths)
    assert pooled.edits.mcm == one.edits.mcm + other.edits.mcm
    assert len(pooled.per_skeleton()) == len(one.per_skeleton()) + len(other.per_skeleton())


def test_a_volume_that_nobody_labelled_is_scored_along_its_skeletons(traced) -> None:
    test = (traced.dataset.test[0].derive(labels=None),)
    config = only(traced.derive(dataset=traced.dataset.derive(test=test)), "c", "a")
    found = evaluate(config)
    assert list(found.volumes) == ["a"]
    assert found.skeletons["c"].scored.run_lengths[0].nerl > 0


def test_where_nobody_labelled_any_volume_no_head_is_counted(traced) -> None:
    test = (traced.dataset.test[0].derive(labels=None),)
    alone = only(traced.derive(dataset=traced.dataset.derive(test=test)), "c")
    assert evaluate(alone).chosen_on.startswith("no validation volume with labels was segmented")
    with pytest.raises(ValueError, match=r"names 'affs', .* no volume of c has labels; leave"):
        evaluate(with_evaluate(alone, heads=("affs",)))


def test_skeletons_elsewhere_are_refused(traced, tmp_path) -> None:
    lines = lines_of("c")
    far = Skeletons(lines.node_ids, lines.skeleton_ids, lines.positions * 1000, lines.edges)
    write_skeletons(far, tmp_path / "c.npz")
    with pytest.raises(
        ValueError, match=r"volume 'c': 0 of \d+ nodes of the skeletons lie in what"
    ):
        evaluate(only(traced, "c"))


def test_no_volume_has_what_the_metric_is_against(config) -> None:
    with pytest.raises(ValueError, match=r"has skeletons to be .* in dataset\.test\.0\.skeletons="):
        evaluate(with_evaluate(config, metric="mcm"))


def test_what_was_not_joined_has_no_region_graph(traced) -> None:
    assert isinstance(open_results(traced, "a"), JoinedResults)
    assert super(JoinedResults, open_results(traced, "a")).edges() is None
