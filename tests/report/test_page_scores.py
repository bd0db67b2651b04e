"""Every metric has numbers that a page shows, drawn over thresholds, and words for them."""

import pytest

from lsd.evaluation.metric import words_of
from lsd.report.page.about import counted_by
from lsd.report.page.chart import UNDEFINED
from lsd.report.page.scores import headings, objective, swept
from lsd.report.page.steps import duration, size, totals
from lsd.spec import Evaluate, Metric


@pytest.mark.parametrize("kind", Metric.kinds())
def test_each_metric(kind) -> None:
    settings = Evaluate(metric=kind)
    words = words_of(settings)
    values = words.as_dict()
    shown, drawn = headings(words, values), swept(words, values)
    assert shown
    assert drawn
    for name in (*shown, *drawn, objective(words, values)[0]):
        assert values[name] is None or isinstance(values[name], int | float)
    assert set(words.definitions) <= set(values)
    assert counted_by(settings).endswith(".")


def test_ids_that_are_ignored_are_no_part_of_the_words() -> None:
    words_of(Evaluate(ignore=(0, 1, 5), background="ignore"))


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
