"""Agglomeration against a brute-force one and against waterz's own segmentations."""

import os
import threading

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.lookup import components, relabel
from lsd.arrays.pairs import count_pairs, touching
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.fragments import fragments
from lsd.segmentation.scoring.scoring import scoring_of
from lsd.spec import Segment
from lsd.spec.scoring import QUANTILES

MEANS = ("mean", "mean_all")
WATERZ = (
    *(f"hist_quant_{q}{suffix}" for q in QUANTILES for suffix in ("", "_max")),
    "size_difference",
)


def _random(seed, shape=(5, 6, 7), count=9):
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, int)
    for i in range(count):
        seeds[tuple(rng.integers(0, s) for s in shape)] = i + 1
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    return rng.random((3, *shape)).astype(np.float32), seeds[tuple(nearest)].astype(np.uint64)


def _contacts(affs, labels):
    found = {}
    for axis in range(3):
        for p in np.ndindex(*labels.shape):
            q = tuple(i - (a == axis) for a, i in enumerate(p))
            if q[axis] >= 0 and labels[p] != labels[q] and labels[p] and labels[q]:
                key = frozenset((int(labels[p]), int(labels[q])))
                found.setdefault(key, []).append(float(affs[(axis, *p)]))
    return found


def _mean(values):
    return 1 - sum(values) / len(values)


def _quantile(values, q):
    bins = sorted(min(255, int(value * 256)) for value in values)
    return 1 - (bins[q * len(bins) // 100] + 0.5) / 256


def _brute_force(affs, labels, score, first=lambda values: values):
    """Score at which each touching pair first shares a region; None if two contacts ever score the
    same."""
    contacts = {pair: first(values) for pair, values in _contacts(affs, labels).items()}
    region = {int(i): int(i) for i in np.unique(labels)}
    answer, waiting, height = {}, set(contacts), 0.0
    while contacts:
        scores = sorted((score(values), sorted(pair)) for pair, values in contacts.items())
        if len({s for s, _ in scores}) < len(scores):
            return None
        height, (a, b) = max(height, scores[0][0]), scores[0][1]
        region = {i: a if r == b else r for i, r in region.items()}
        merged = {}
        for pair, values in contacts.items():
            pair = frozenset(a if i == b else i for i in pair)
            if len(pair) == 2:
                merged.setdefault(pair, []).extend(values)
        contacts = merged
        for pair in list(waiting):
            u, v = sorted(pair)
            if region[u] == region[v]:
                answer[u, v] = height
                waiting.discard(pair)
    return answer


def _affinities(shape=(20, 24, 26)):
    noise = ndimage.gaussian_filter(
        np.random.default_rng(0).random((3, *shape)), (0, 1.5, 1.5, 1.5)
    )
    low, high = np.percentile(noise, [5, 90])
    return np.clip((noise - low) / (high - low), 0, 1).astype(np.float32)


def _same_partition(a, b) -> bool:
    return len(count_pairs(a, b).first) == len(np.unique(a)) == len(np.unique(b))


@pytest.mark.parametrize("seed", range(5))
def test_mean_against_brute_force(seed) -> None:
    affs, labels = _random(seed)
    expected = _brute_force(affs, labels, _mean)
    edges, scores = agglomerate(affs, labels)
    assert [(int(u), int(v)) for u, v in edges] == sorted(expected)
    np.testing.assert_allclose(scores, [expected[int(u), int(v)] for u, v in edges], atol=1e-5)


@pytest.mark.parametrize("scoring", ["hist_quant_50", "hist_quant_75", "hist_quant_75_max"])
def test_quantiles_against_brute_force(scoring) -> None:
    q, initial = (
        int(scoring.split("_")[2]),
        (lambda v: [max(v)]) if scoring.endswith("_max") else (lambda v: v),
    )
    compared = 0
    for seed in range(20):
        affs, labels = _random(seed, shape=(4, 5, 5), count=5)
        expected = _brute_force(affs, labels, lambda values: _quantile(values, q), initial)
        if expected is not None:
            edges, scores = agglomerate(affs, labels, scoring=scoring)
            assert [(int(u), int(v)) for u, v in edges] == sorted(expected)
            np.testing.assert_allclose(
                scores, [expected[int(u), int(v)] for u, v in edges], atol=1e-6
            )
            compared += 1
    assert compared > 3


@pytest.mark.parametrize("scoring", ["mean", "hist_quant_25", "hist_quant_75", "hist_quant_75_max"])
def test_tables_give_the_segmentations_of_waterz(scoring, capfd) -> None:
    import waterz

    affs = _affinities()
    labels = fragments(affs, min_seed_distance=4)
    edges, scores = agglomerate(affs, labels, scoring=scoring)
    assert capfd.readouterr().out == ""
    nodes = np.unique(labels)
    # a heap puts means in their exact order
    mean = "OneMinus<MeanAffinity<RegionGraphType,ScoreValue>>", 0
    function, bins = (
        mean if scoring == "mean" else (scoring_of(scoring).function, scoring_of(scoring).bins)
    )
    thresholds = [0.2, 0.4, 0.6, 0.8]
    theirs = waterz.agglomerate(
        affs, thresholds, fragments=labels.copy(), scoring_function=function, discretize_queue=bins
    )
    for threshold, segmentation in zip(thresholds, theirs, strict=True):
        # waterz joins what scores below the threshold, we what scores up to it
        below = np.nextafter(np.float32(threshold), np.float32(-1))
        ours = relabel(labels, nodes, components(nodes, edges, scores, float(below)))
        assert _same_partition(ours, segmentation)


def test_sizes_alone() -> None:
    """Regions of 2, 2, 3 and 15 voxels in a row: equals join first, whatever the affinities say."""
    labels = np.repeat(np.array([4, 1, 7, 2], np.uint64), [2, 2, 3, 15])[None, None]
    for affs in (
        np.zeros((3, 1, 1, 22), np.float32),
        np.random.default_rng(0).random((3, 1, 1, 22)).astype(np.float32),
    ):
        edges, scores = agglomerate(affs, labels, scoring="size_difference")
        assert edges.tolist() == [[1, 4], [1, 7], [2, 7]]
        np.testing.assert_allclose(scores, [0, 1 / 7, 8 / 22], rtol=1e-6)


def test_a_config_allows_what_there_is_and_nothing_else() -> None:
    names = {f"hist_quant_{q}{suffix}" for q in range(101) for suffix in ("", "_max", "_min")} | {
        "mean_max",
        "median",
        *MEANS,
    }
    for name in names | set(WATERZ):
        if name in (*MEANS, *WATERZ):
            assert Segment(scoring=name).scoring.to_name() == name
            assert Segment(scoring=name).model_dump(mode="json")["scoring"] == name
        else:
            with pytest.raises(ValueError, match=f"scoring '{name}' is unknown; allowed: mean"):
                Segment(scoring=name)


def test_every_scoring_that_comes_compiled_is_there() -> None:
    from waterz._prebuilt.agglomerate import SPECS

    assert {function for function, _ in SPECS} == {
        "OneMinus<MeanAffinity<RegionGraphType,ScoreValue>>",
        *(scoring_of(name).function for name in WATERZ),
    }


@pytest.mark.parametrize("scoring", [*MEANS, *WATERZ])
def test_every_scoring(scoring) -> None:
    affs, labels = _random(3)
    edges, scores = agglomerate(affs, labels, scoring=scoring)
    np.testing.assert_array_equal(edges, touching(labels))
    assert edges.dtype == np.uint64
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


def test_original_ids_and_inputs_stay() -> None:
    affs, labels = _random(1)
    large = labels * np.uint64(2**60) + np.uint64(2**53 + 1)
    kept = affs.copy(), large.copy()
    edges, scores = agglomerate(affs, large, scoring="hist_quant_75")
    small_edges, small_scores = agglomerate(affs, labels, scoring="hist_quant_75")
    np.testing.assert_array_equal(edges, small_edges * np.uint64(2**60) + np.uint64(2**53 + 1))
    np.testing.assert_array_equal(scores, small_scores)
    assert np.array_equal(affs, kept[0])
    assert np.array_equal(large, kept[1])


def test_renaming_changes_nothing() -> None:
    affs, labels = _random(2)
    names = np.random.default_rng(0).permutation(int(labels.max()) + 1).astype(
        np.uint64
    ) + np.uint64(5)
    edges, scores = agglomerate(affs, names[labels])
    expected = {
        tuple(sorted((int(names[u]), int(names[v])))): s
        for (u, v), s in zip(*agglomerate(affs, labels), strict=True)
    }
    assert [(int(u), int(v)) for u, v in edges] == sorted(expected)
    np.testing.assert_allclose(scores, [expected[int(u), int(v)] for u, v in edges], atol=1e-6)


def test_background_joins_nothing() -> None:
    labels = np.array([[[1, 1, 0, 2, 2]]], np.uint64)
    edges, scores = agglomerate(np.ones((3, 1, 1, 5), np.float32), labels)
    assert edges.shape == (0, 2)
    assert scores.shape == (0,)
    assert agglomerate(np.ones((3, 1, 1, 5)), np.zeros((1, 1, 5), int))[0].shape == (0, 2)


def test_uint8_equals_float() -> None:
    affs, labels = _random(4)
    coarse = np.round(affs * 255).astype(np.uint8)
    edges, scores = agglomerate(coarse, labels)
    np.testing.assert_array_equal(
        agglomerate(coarse.astype(np.float32) / np.float32(255), labels)[1], scores
    )
    np.testing.assert_array_equal(
        agglomerate(np.asfortranarray(coarse), np.asfortranarray(labels))[1], scores
    )
    np.testing.assert_array_equal(agglomerate(np.concatenate([coarse, coarse]), labels)[0], edges)


def test_sections_of_a_2d_network_stay_apart() -> None:
    affs, labels = _random(0)
    apart = labels + (np.arange(5, dtype=np.uint64) * np.uint64(100))[:, None, None]
    edges, scores = agglomerate(affs[1:], apart)
    assert (edges[:, 0] // 100 == edges[:, 1] // 100).all()
    for z in range(5):
        there = edges[:, 0] // 100 == z
        section, heights = agglomerate(affs[1:, z], apart[z])
        np.testing.assert_array_equal(edges[there], section)
        np.testing.assert_array_equal(scores[there], heights)


def test_errors() -> None:
    affs, labels = _random(0)
    with pytest.raises(ValueError, match=r"hist_quant_77.*allowed: mean"):
        agglomerate(affs, labels, scoring="hist_quant_77")
    with pytest.raises(ValueError, match="do not fit"):
        agglomerate(affs, labels[1:])
    with pytest.raises(ValueError, match="int64"):
        agglomerate(affs.astype(int), labels)


def test_threads_and_the_standard_output(capfd) -> None:
    affs, labels = _random(0)
    expected = agglomerate(affs, labels)[1]
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(agglomerate(affs, labels)[1]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(1, b"still here\n")
    print("and here")
    assert capfd.readouterr().out == "still here\nand here\n"
    assert len(found) == 8
    assert all(np.array_equal(scores, expected) for scores in found)
