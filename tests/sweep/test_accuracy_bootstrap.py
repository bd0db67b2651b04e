"""Intervals of scores of objects: the scores themselves against `match`, draws against the same
draws made object by object."""

import numpy as np
import pytest

from benchmarks.accuracy import KINDS
from benchmarks.accuracy.bootstrap import SCORES, Truth, bootstrap, interval
from benchmarks.accuracy.objects import of_a_stack
from lsd.cli.files import load_settings
from lsd.evaluation.detection import match


def random_stack(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sections of squares, objects that go through several of them; ids of segments are apart."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((3, 24, 24), np.uint64)
    segments = np.zeros_like(truth)
    for z in range(3):
        for y in range(4):
            for x in range(4):
                place = (z, slice(6 * y, 6 * y + 5), slice(6 * x, 6 * x + 5))
                if (y + x) % 3:
                    truth[place] = 1 + 4 * y + x
                if rng.random() < 0.7:
                    low, high = rng.integers(0, 3), rng.integers(3, 6)
                    inside = (z, slice(6 * y + low, 6 * y + high), place[2])
                    segments[inside] = 100 * z + 4 * y + x + 1
    return truth, segments


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_match(seed: int) -> None:
    labels, segments = random_stack(seed)
    truth = Truth.of(labels, by_section=True)
    scores = dict(zip(SCORES, bootstrap(truth, segments, draws=0)[0, 0], strict=True))
    tp = fp = fn = 0
    iou = 0.0
    for z in range(3):
        found = match(segments[z], truth.parts[z], threshold=0.5)
        tp, fp, fn = tp + found.tp, fp + found.fp, fn + found.fn
        iou += found.ious.sum()
    assert scores["AP50"] == pytest.approx(tp / (tp + fp + fn))
    assert scores["PQ"] == pytest.approx(iou / (tp + fp / 2 + fn / 2))
    either, both = (labels > 0) | (segments > 0), (labels > 0) & (segments > 0)
    assert scores["IoU"] == pytest.approx(both.sum() / either.sum())


def test_sections_of_one_object_are_drawn_together() -> None:
    """One object in three sections, found in two of them: every draw is the same."""
    labels = np.zeros((3, 8, 8), np.uint64)
    labels[:, 2:6, 2:6] = 9
    segments = labels.copy()
    segments[0] = 0
    segments[1] *= 2
    drawn = bootstrap(Truth.of(labels, by_section=True), segments)
    assert (drawn[:, 0] == drawn[0, 0]).all()
    assert drawn[0, 0, SCORES.index("AP50")] == pytest.approx(2 / 3)


def test_draws_are_sums_over_what_was_drawn() -> None:
    """An object that is found, one that is not, and a segment on none: AP50 of a draw follows from
    how often each was drawn, so its mean and spread are those of a trinomial."""
    labels = np.zeros((1, 12, 30), np.uint64)
    labels[0, 2:6, 2:6], labels[0, 2:6, 12:16] = 1, 2
    segments = np.zeros_like(labels)
    segments[0, 2:6, 2:6], segments[0, 2:6, 22:26] = 7, 8
    drawn = bootstrap(Truth.of(labels, by_section=False), segments)[1:, 0]
    found = drawn[:, SCORES.index("AP50")] * 3
    assert np.array_equal(np.unique(found.round(9)), [0, 1, 2, 3])
    # of three draws among three, as many are the one that was found as of a binomial
    assert found.mean() == pytest.approx(1, abs=0.08)
    assert found.var() == pytest.approx(2 / 3, abs=0.08)
    assert interval(drawn[:, 0]) == (0, 1)


def test_segmentations_see_the_same_objects() -> None:
    labels, segments = random_stack(1)
    drawn = bootstrap(Truth.of(labels, by_section=True), segments, segments.copy())
    assert np.array_equal(drawn[:, 0], drawn[:, 1], equal_nan=True)


@pytest.mark.parametrize("kind", ["mitochondria", "nuclei"])
def test_settings_of_objects_differ_in_what_they_learn(kind: str) -> None:
    sweep, settings = load_settings(KINDS[kind])
    assert sweep is not None
    configs = [setting.config for setting in settings.values()]
    assert len({config.variant.model_dump_json() for config in configs}) == len(configs)
    assert len({config.dataset.model_dump_json() for config in configs}) == 1
    assert not configs[0].dataset.test


@pytest.mark.parametrize(("kind", "count"), [("mitochondria", 5), ("fib25", 1), ("snemi3d", 1)])
def test_what_is_scored_at_the_end_is_trained_as_it_was_compared(kind: str, count: int) -> None:
    """The same runs, and the same volumes to pick a threshold on."""
    (compared, _), (tested, _) = (load_settings(KINDS[name]) for name in (kind, f"{kind}_tested"))
    assert compared is not None
    assert tested is not None
    assert tested.folder == compared.folder
    for one in tested.all_runs():
        assert one == compared.one_run(one.setting, one.seed)
        assert tested.scored is not None
        assert tested.scored.validate == one.config.dataset.validate
        assert not one.config.dataset.test
        assert len(tested.scored.test) == count


def test_a_mask_is_objects_that_go_through_sections_and_ids_are_kept() -> None:
    mask = np.zeros((2, 6, 9), np.uint64)
    mask[:, 1:3, 1:3] = mask[1, 1:3, 6:8] = 1
    objects = of_a_stack(mask)
    assert objects[0, 1, 1] == objects[1, 1, 1]
    assert len(np.unique(objects[objects > 0])) == 2
    assert np.array_equal(objects > 0, mask > 0)
    assert np.array_equal(of_a_stack(mask * 7), mask * 7)
