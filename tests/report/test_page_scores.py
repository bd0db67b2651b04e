"""Every metric has numbers that a page shows, drawn over thresholds, and words for them."""

import numpy as np
import pytest
from reported_run import make_config

from lsd.arrays.contingency import Contingency
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.error_sites.sites import Site
from lsd.evaluation.metric import scoring, words_of
from lsd.evaluation.mincut import min_cut_metric
from lsd.evaluation.partition import compare
from lsd.evaluation.skeletons import expected_run_length
from lsd.report.neurons import Neuron
from lsd.report.page.about import counted_by, how_defined
from lsd.report.page.chart import UNDEFINED
from lsd.report.page.neurons import ROWS, neurons_table
from lsd.report.page.one_run import _sites, _summary
from lsd.report.page.scores import headings, objective, scores_table, swept
from lsd.report.page.sites import sites
from lsd.report.page.steps import duration, size, totals
from lsd.report.recorded import Recorded, evaluated_config
from lsd.segmentation.threshold import scoring_settings
from lsd.spec import Evaluate, Metric

LINE = Skeletons([1, 2, 3], [1, 1, 1], [[0, 0, 0], [0, 0, 1], [0, 0, 2]], [(1, 2), (2, 3)])


def score_of(settings):
    """A score of the metric, of two objects that are found."""
    ids = np.array([1, 1, 2], np.uint64)
    if settings.metric.kind == "nerl":
        return expected_run_length(LINE, ids)
    if settings.metric.kind == "mcm":
        return min_cut_metric(LINE, ids, np.array([[1, 2]]), np.array([0.3]), 0.5)
    return scoring(settings)(Contingency.of(ids, ids))


@pytest.mark.parametrize("kind", Metric.kinds())
def test_each_metric(kind) -> None:
    settings = Evaluate(metric=kind)
    words, score = words_of(settings), score_of(settings)
    assert isinstance(score, words)
    values = score.as_dict()
    shown, drawn = headings(words, values), swept(words, values)
    assert shown
    assert drawn
    for name in (*shown, *drawn, objective(words, values)[0]):
        assert values[name] is None or isinstance(values[name], int | float)
    assert set(words.definitions) <= set(values)
    assert counted_by(settings).endswith(".")


def test_ids_that_are_ignored_are_no_part_of_the_words() -> None:
    assert words_of(Evaluate(ignore=(0, 1, 5), background="ignore")).short == "VOI"


@pytest.mark.parametrize(
    ("seconds", "read"),
    [(0.26, "0.3 s"), (41.4, "41 s"), (60, "1 min"), (725, "12 min 5 s"), (12000, "3 h 20 min"),
     (7200, "2 h")],
)  # fmt: skip
def test_durations(seconds, read) -> None:
    assert duration(seconds) == read


def test_sizes_and_totals() -> None:
    assert [size(n) for n in (None, 12, 2048, 5 << 20, 3 << 30)] == [
        UNDEFINED, "12 bytes", "2 KiB", "5 MiB", "3.00 GiB",
    ]  # fmt: skip
    usage = [
        {"step": "train", "seconds": 2.0, "memory_bytes": 5},
        {"step": "predict", "seconds": 1.0},
        {"step": "train", "seconds": 3.5, "memory_bytes": 9},
    ]
    assert totals(usage) == {"train": (5.5, 9), "predict": (1.0, 0)}


def test_objects_of_the_truth_in_pieces_are_noted(tmp_path) -> None:
    scored = compare(np.array([[1, 1, 2]]), np.array([[7, 0, 7]])).as_dict()
    volume = {"part": "test", "scores": scored, "fragments": None, "sweep": {}}
    noted = {"objects": 1, "of": 1, "voi_split": 1.0}
    written = {"volumes": {"v": volume}, "apart": {"v": noted, "gone": noted}}
    config = make_config(tmp_path)
    text = scores_table(Recorded(config, written, {}, {}, []))
    assert "v: 1 of 1 object of the truth lies in pieces that are apart" in text
    assert "gone" not in text
    assert "pieces" not in scores_table(Recorded(config, {"volumes": {"v": volume}}, {}, {}, []))


@pytest.mark.parametrize(("voxels", "contact", "is_said"), [((9, 3), 5, True), ((3, 9), 5, False)])
def test_a_split_from_smaller_parts_alone_is_said(voxels, contact, is_said) -> None:
    site = Site("split", (4, 5), (7,), voxels, 0.1, contact, (1.0, 2.0, 3.0))
    assert ("no larger part of the neuron touches the first" in sites([(site, None)])) is is_said


def test_along_skeletons_no_voxel_of_the_truth_is_scored() -> None:
    told = counted_by(Evaluate(metric="nerl", skeletons={"outside": "omit"}))
    assert told.startswith("Nodes of skeletons are scored")
    assert "Voxels" not in told
    assert told.endswith("Nodes outside of what is scored lie on background.")


def test_a_run_is_told_as_it_was_evaluated_where_that_was_the_usual_way(tmp_path) -> None:
    """What is not written where it is the usual one is no setting of training."""
    evaluated = make_config(tmp_path)
    others = {
        "metric": "benchmark",
        "sites": 3,
        "heads": ("affs",),
        "skeletons": {"runs": "connected"},
    }
    trained = evaluated.derive(
        evaluate=others, segment={"objects": {"min_size": 7}, "workers": {"count": 5}}
    )
    written = {
        "evaluate": evaluated.evaluate.model_dump(mode="json"),
        "segment": scoring_settings(evaluated.segment),
        "volumes": {},
    }
    found = evaluated_config(trained, written)
    assert found.evaluate == evaluated.evaluate
    assert (found.segment.objects, found.segment.workers.count) == (evaluated.segment.objects, 5)
    assert evaluated_config(trained, {}) == trained


def test_what_has_no_threshold_says_why_and_files_are_called_as_they_are(tmp_path) -> None:
    config = make_config(tmp_path).derive(evaluate={"of": "objects"})
    written = {"threshold": None, "chosen_on": "objects at located points have none", "volumes": {}}
    recorded = Recorded(config, written, {}, {}, [])
    assert "<p>No threshold: objects at located points have none; this page" in _summary(recorded)
    told = how_defined(recorded)
    assert "<dd>None: objects at located points have none.</dd>" in told
    assert "is that of objects_evaluation.json, rounded" in told
    assert "<p>objects_evaluation.json names no error sites" in _sites(recorded, {})
    rows = [Neuron(1, None, 1, 1, 1, 1.0, 1.0, 1.0, 0.0, 0.0)] * (ROWS + 1)
    told = neurons_table(rows, volume="v", in_pieces=True, file="objects_evaluation_neurons.csv")
    assert "1 more, which cost less, are in objects_evaluation_neurons.csv." in told
    assert "objects_evaluation_neurons.csv is of an earlier version" in told
    recorded = Recorded(config, {**written, "threshold": 0.5, "chosen_on": "v"}, {}, {}, [])
    assert "Scored at threshold 0.5, from v; this page" in _summary(recorded)
    assert "<dd>Picked on v.</dd>" in how_defined(recorded)
