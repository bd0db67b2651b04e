"""Pictures: colours by id, differences by hand, files that show what they should."""

import sys

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import scoring
from lsd.evaluation.partition import Partition, compare
from lsd.evaluation.scores import VolumeScores
from lsd.report.colours import boundaries, colours, grey, magnified, overlay
from lsd.report.differences import Partners
from lsd.report.figures import SectionImages, draw_sections, draw_sweep, headline
from lsd.spec import Evaluate


def test_importing_the_room_does_not_load_matplotlib() -> None:
    import subprocess

    code = "import sys, lsd.report.figures, lsd.report.run; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_colours_depend_on_the_id_alone_and_differ() -> None:
    ids = np.array([0, 1, 2, 3, 2**53, 2**53 + 1, 2**64 - 1], np.uint64)
    found = colours(ids)
    np.testing.assert_array_equal(found[::-1], colours(ids[::-1]))
    assert not found[0].any()
    apart = np.abs(found[:, None] - found[None]).sum(axis=-1) + 9 * np.eye(len(ids))
    assert apart.min() > 0.1
    many = colours(np.arange(1, 2000))
    assert many.min() >= 0
    assert many.max() <= 1
    assert many.max(axis=1).min() > 0.7, "bright enough over raw"


def test_boundaries_and_overlay() -> None:
    labels = np.array([[1, 1, 2], [1, 1, 2], [0, 0, 0]])
    assert boundaries(labels).tolist() == [
        [False, True, False],
        [True, True, True],
        [False, False, False],
    ]
    raw = np.linspace(0, 1, 9).reshape(3, 3).astype(np.float32)
    picture = overlay(raw, labels, colours(labels))
    np.testing.assert_array_equal(picture[2], grey(raw)[2])
    assert picture[1, 1].max() < 0.2
    assert magnified(picture, 3).shape == (9, 9, 3)
    assert grey(np.full((2, 2), 0.5)).shape == (2, 2, 3)


def test_partners_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 2, 2, 2, 0]], np.uint64)
    segments = np.array([[5, 5, 6, 7, 7, 7, 0, 9]], np.uint64)
    partners = Partners.of(Contingency.of(segments, truth))
    assert partners.main_object(np.array([5, 6, 7, 9, 0])).tolist() == [1, 1, 2, 0, 0]
    assert partners.main_segment(np.array([1, 2, 0, 8])).tolist() == [5, 7, 0, 0]
    assert partners.merged(segments, truth).tolist() == [
        [False, False, False, True, False, False, False, False]
    ]
    assert partners.split(segments, truth).tolist() == [
        [False, False, True, True, False, False, True, False]
    ]
    names = partners.names(segments)
    assert names[:, [0, 1, 3, 4, 5, 6]].tolist() == [[1, 1, 2, 2, 2, 0]]
    # the others go by no object's id, and not by their own, which might be one
    assert not np.isin(names[:, [2, 7]], [0, 1, 2, 6, 9]).any()


def test_of_equal_partners_the_smaller_id_is_taken_whatever_the_order() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.array([3, 9, 2**63 + 5, 2**63 + 4], np.uint64), 6)
    segments = np.tile(np.repeat(np.array([8, 2**64 - 1, 7], np.uint64), 2), 4)
    for _ in range(5):
        order = rng.permutation(len(truth))
        partners = Partners.of(Contingency.of(segments[order], truth[order]))
        assert partners.main_segment(np.unique(truth)).tolist() == [7] * 4
        assert partners.main_object(np.unique(segments)).tolist() == [3] * 3
    table = Contingency.of(segments, truth)
    backwards = Partners.of(
        Contingency(table.segments[::-1], table.objects[::-1], table.voxels[::-1])
    )
    assert backwards.main_segment(np.unique(truth)).tolist() == [7] * 4
    assert backwards.main_object(np.unique(segments)).tolist() == [3] * 3
    # more voxels count before a smaller id
    more = Partners.of(
        Contingency.of(np.append(segments, np.uint64(8)), np.append(truth, np.uint64(9)))
    )
    assert more.main_segment(np.array([9, 3])).tolist() == [8, 7]
    assert more.main_object(np.array([8, 7])).tolist() == [9, 3]


def test_what_is_not_scored_is_no_partner() -> None:
    truth = np.array([[3, 3, 3, 1, 2, 2, 2**64 - 1, 2**64 - 1, 2**64 - 1]], np.uint64)
    segments = np.array([[5, 5, 5, 5, 6, 6, 6, 6, 6]], np.uint64)
    scored = (truth == 1) | (truth == 2)
    table = Contingency.of(segments, truth)
    partners = Partners.of(table, left_out=(3, 2**64 - 1))
    assert partners.main_object(np.array([5, 6])).tolist() == [1, 2]
    assert not (partners.merged(segments, truth) & scored).any()
    assert Partners.of(table).merged(segments, truth)[scored].all()


def test_nothing_in_common() -> None:
    partners = Partners.of(Contingency.empty())
    nothing, four = partners.names(np.array([0, 4])).tolist()
    assert nothing == 0
    assert four not in (0, 4)


def test_agreement_has_no_difference() -> None:
    labels = np.random.default_rng(0).integers(0, 5, (4, 5, 6)).astype(np.uint64)
    names = np.array([0, 9, 7, 5, 3], np.uint64)[labels]
    partners = Partners.of(Contingency.of(names, labels))
    assert not partners.merged(names, labels).any()
    assert not partners.split(names, labels).any()
    np.testing.assert_array_equal(partners.names(names), labels)


def _scores(t):
    return Partition(2 - t, t * t, (1.0, 2.0, 3.0), voxels=10, segments=1, objects=1)


def _pixels(path):
    from matplotlib.image import imread

    return imread(path)[..., :3]


def test_sweep(tmp_path) -> None:
    roi = Roi((0, 0, 0), (1, 1, 1))
    swept = {t: _scores(t) for t in (0.1, 0.5, 0.9)}
    volumes = {
        n: VolumeScores("test", roi, None, fragments=_scores(0), sweep=swept) for n in ("a", "b")
    }
    picture = _pixels(draw_sweep(volumes, 0.5, tmp_path / "new" / "sweep.png"))
    assert picture.shape[1] > 1.5 * picture.shape[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    assert draw_sweep({"a": VolumeScores("test", roi, None)}, None, tmp_path / "empty.png").exists()


@pytest.mark.parametrize(
    ("shape", "voxel_size"), [((40, 60), (10.0, 10.0)), ((20, 20), (20.0, 5.24))]
)
def test_slices(tmp_path, monkeypatch, shape, voxel_size) -> None:
    monkeypatch.setattr("lsd.report.figures._PIXELS", 100)  # fast
    rng = np.random.default_rng(0)
    truth = np.repeat(
        np.repeat(rng.integers(0, 4, (shape[0] // 10, shape[1] // 10)), 10, 0), 10, 1
    ).astype(np.uint64)
    segments = np.where(truth == 3, 2, truth).astype(np.uint64)
    known = np.ones(shape, bool)
    known[:3] = False
    sections = [
        SectionImages(f"z = {z}", rng.random(shape, np.float32), truth, segments, known)
        for z in (1, 2)
    ]
    partners = Partners.of(Contingency.of(segments, truth))
    title = headline("volume", compare(segments, truth), 0.3)
    assert "VOI split 0.000" in title
    assert headline("volume", None, None) == "volume"
    picture = _pixels(
        draw_sections(sections, partners, tmp_path / "s.png", title=title, voxel_size=voxel_size)
    )
    right = picture[:, 3 * picture.shape[1] // 4 :]
    orange = (right[..., 0] > 0.7) & (right[..., 2] < 0.5) & (right[..., 1] < 0.7)
    assert orange.any(), "what was merged is marked"


def test_segments_on_background_are_marked_where_it_counts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.report.figures._PIXELS", 40)
    shape = (20, 20)
    truth, segments = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    truth[:, :10], segments[5:, :] = 1, 7
    partners = Partners.of(Contingency.of(segments, truth))
    pink = {}
    for counts in (True, False):
        section = SectionImages(
            "", np.full(shape, 0.5, np.float32), truth, segments, np.ones(shape, bool), counts
        )
        path = tmp_path / f"{counts}.png"
        picture = _pixels(draw_sections([section], partners, path, title="", voxel_size=(8.0, 8.0)))
        right = picture[: 3 * len(picture) // 4, 3 * picture.shape[1] // 4 :]
        pink[counts] = ((right[..., 0] > 0.6) & (right[..., 1] < 0.35)).mean()
    # 15 of 40 halves of a row
    assert pink[True] > 0.15
    assert pink[False] == 0


def test_a_sweep_of_objects_is_drawn_though_some_is_undefined(tmp_path) -> None:
    nothing = np.zeros(9, int)
    score = scoring(Evaluate(metric="objects"))
    swept = {
        t: score(Contingency.of(nothing + (np.arange(9) < n), nothing))
        for n, t in enumerate((0.1, 0.5, 0.9))
    }
    assert [each.value for each in swept.values()] == [None, 0, 0]
    volumes = {"a": VolumeScores("test", Roi((0, 0, 0), (1, 1, 1)), swept[0.5], sweep=swept)}
    picture = _pixels(draw_sweep(volumes, 0.5, tmp_path / "sweep.png"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
