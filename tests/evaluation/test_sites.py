"""Error sites of arrays against their definition, voxel by voxel."""

import itertools
import math

import numpy as np
import pytest

from lsd.arrays.contingency import Contingency
from lsd.evaluation.error_sites.placing import error_sites
from lsd.evaluation.error_sites.worst import worst_parts
from lsd.evaluation.partition import compare


def random_pair(seed, shape=(6, 9, 8), ids=5):
    """A truth of blocks of labels, and a segmentation that is cut otherwise."""
    rng = np.random.default_rng(seed)
    coarse = [-(-n // 3) for n in shape]
    truth, segments = (
        np.kron(rng.integers(0, ids, coarse), np.ones((3,) * len(shape), int))[
            tuple(slice(0, n) for n in shape)
        ]
        for _ in range(2)
    )
    noise = rng.random(shape) < 0.1
    segments[noise] = rng.integers(0, ids, int(noise.sum()))
    return segments.astype(np.uint64) + 10 * (segments > 0).astype(np.uint64), truth.astype(
        np.uint64
    )


def plain_sites(segments, truth, voxel_size, *, ignore, background):
    """By the definition: slow."""
    places = [
        at
        for at in itertools.product(*map(range, truth.shape))
        if truth[at] not in ignore and not (background == "ignore" and segments[at] == 0)
    ]
    found = []
    for kind in ("split", "merge"):
        part_of, whole_of = (segments, truth) if kind == "split" else (truth, segments)
        wholes = {}
        for at in places:
            parts = wholes.setdefault(int(whole_of[at]), {})
            parts.setdefault(int(part_of[at]), []).append(at)
        for whole, parts in wholes.items():
            order = sorted(parts, key=lambda one: (-len(parts[one]), one))
            for i, part in enumerate(order[1:], start=1):
                rest, own = sum(len(parts[p]) for p in order[:i]), len(parts[part])
                bits = sum(n * math.log2((rest + own) / n) for n in (rest, own)) / len(places)
                found.append((kind, whole, part, order, parts, bits))
    found.sort(key=lambda f: (-f[5], f[0], f[1], f[2]))
    return [_plain(*f, voxel_size) for f in found]


def _plain(kind, whole, part, order, parts, bits, voxel_size):
    faces = {}
    for at in parts[part]:
        for axis, step in itertools.product(range(len(at)), (-1, 1)):
            beside = tuple(n + step * (a == axis) for a, n in enumerate(at))
            for other in order:
                if other != part and beside in set(parts[other]):
                    faces.setdefault(other, []).append(at)
    rank = order.index(part)
    touched = [o for o in order[:rank] if o in faces] or [o for o in order if o in faces]
    other = max(touched, key=lambda o: (len(faces[o]), -o)) if touched else order[0]
    among = faces[other] if touched else parts[part]
    middle = [sum(at[a] for at in among) / len(among) for a in range(len(among[0]))]

    def apart(at):
        steps = zip(at, middle, voxel_size, strict=True)
        return sum(((n - m) * size) ** 2 for n, m, size in steps)

    nearest = min(apart(at) for at in among)
    good = [at for at in among if apart(at) <= nearest + 1e-9]
    pair, alone = (part, other), (whole,)
    return {
        "kind": kind,
        "segments": pair if kind == "split" else alone,
        "truth": alone if kind == "split" else pair,
        "voxels": (len(parts[part]), len(parts[other])),
        "bits": bits,
        "contact": len(among) if touched else 0,
        "places": {
            tuple((n + 0.5) * size for n, size in zip(at, voxel_size, strict=True)) for at in good
        },
    }


CASES = [
    (0, (6, 9, 8), (0,), "label"),
    (1, (6, 9, 8), (), "label"),
    (2, (6, 9, 8), (0, 3), "ignore"),
    (3, (12, 11), (0,), "label"),
]


@pytest.mark.parametrize(("seed", "shape", "ignore", "background"), CASES)
def test_sites_are_those_of_the_definition(seed, shape, ignore, background) -> None:
    segments, truth = random_pair(seed, shape)
    voxel_size = (30.0, 4.0, 5.0)[-len(shape) :]
    options = {"ignore": ignore, "background": background}
    expected = plain_sites(segments, truth, voxel_size, **options)
    found = error_sites(segments, truth, voxel_size=voxel_size, count=1000, **options)
    assert len(found) == len(expected) > 10
    key = ("kind", "segments", "truth")
    by_key = {tuple(site[name] for name in key): site for site in expected}
    assert [site.bits for site in found] == sorted((s.bits for s in found), reverse=True)
    for site in found:
        wanted = by_key.pop(tuple(getattr(site, name) for name in key))
        assert (site.voxels, site.contact) == (wanted["voxels"], wanted["contact"])
        assert site.bits == pytest.approx(wanted["bits"], rel=1e-12)
        assert site.place in wanted["places"]
        at = tuple(int(nm // size) for nm, size in zip(site.place, voxel_size, strict=True))
        assert (segments[at], truth[at]) == (site.segments[0], site.truth[0])


@pytest.mark.parametrize("background", ["label", "ignore", "singletons"])
def test_bits_of_all_sites_add_up_to_the_voi(background) -> None:
    segments, truth = random_pair(4)
    score = compare(segments, truth, background=background)
    sites = error_sites(segments, truth, count=10**6, background=background)
    for kind, voi in (("split", score.voi_split), ("merge", score.voi_merge)):
        assert sum(site.bits for site in sites if site.kind == kind) == pytest.approx(voi)


def test_an_object_that_is_all_background_is_a_site_of_its_own() -> None:
    truth = np.array([[1, 1, 1, 2]])
    (site,) = error_sites(np.array([[0, 0, 0, 7]]), truth, background="singletons")
    assert (site.segments, site.truth, site.voxels) == ((0,), (1,), (3, 0))
    assert site.place == (0.5, 1.5)


def test_so_many_are_told_of_each_kind_and_they_are_the_worst() -> None:
    segments, truth = random_pair(5)
    every = error_sites(segments, truth, count=1000)
    few = error_sites(segments, truth, count=3)
    assert [site.kind for site in few].count("merge") == 3
    for kind in ("split", "merge"):
        assert [s for s in few if s.kind == kind] == [s for s in every if s.kind == kind][:3]
    assert error_sites(segments, truth, count=0) == []
    assert error_sites(truth, truth) == []


def test_what_is_no_background_and_no_label_is_refused() -> None:
    segments, truth = random_pair(5)
    with pytest.raises(ValueError, match="background is 'ignored'; allowed: label, ignore, sing"):
        error_sites(segments, truth, background="ignored")
    with pytest.raises(ValueError, match="ignore: ids are 0"):
        error_sites(segments, truth, ignore=(0, -1))


def test_a_part_that_touches_smaller_ones_alone_shows_where_it_was_cut() -> None:
    """Two halves and a crumb between them: the second half is cut off at the crumb."""
    segments = np.array([[1] * 6 + [3] + [2] * 5])
    half, crumb = error_sites(segments, np.ones_like(segments), voxel_size=1)
    assert (half.segments, half.voxels, half.place) == ((2, 3), (5, 1), (0.5, 7.5))
    assert (crumb.segments, crumb.voxels, crumb.place) == ((3, 1), (1, 6), (0.5, 6.5))


def test_what_touches_nothing_is_shown_in_its_middle() -> None:
    truth = np.array([[1] * 4 + [0] * 3 + [1] * 3])
    segments = np.array([[5] * 7 + [6] * 3])
    (site,) = error_sites(segments, truth)
    assert (site.segments, site.contact, site.place) == ((6, 5), 0, (0.5, 8.5))


def test_small_parts_of_large_wholes_lose_no_digits() -> None:
    """A voxel of 2**50: the difference of sums of n log2 n would have none left."""
    table = Contingency(
        np.array([1, 2], np.uint64), np.array([1, 1], np.uint64), np.array([2**50, 1])
    )
    (part,) = worst_parts(table, count=5)
    assert part.bits * (2**50 + 1) == pytest.approx(50 + 1 / math.log(2), rel=1e-9)


def test_ids_up_to_the_last_are_exact() -> None:
    segments, truth = random_pair(6)
    moved = np.where(segments > 0, np.uint64(2**64 - 20) + segments - np.uint64(10), 0)
    sites, others = error_sites(segments, truth), error_sites(moved, truth)
    assert [s.place for s in sites] == [s.place for s in others]
    assert max(max(s.segments) for s in others) > 2**63
