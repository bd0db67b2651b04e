"""Small numbers are told from zero wherever a loss or a score is said."""

import pytest

from lsd.system.decimals import decimals
from lsd.training.loss_score import LossScore
from lsd.training.modes.history import merge_in_words, merges_table
from lsd.training.progress import Progress

TINY = 2.5e-5


@pytest.mark.parametrize(
    ("value", "places", "read"),
    [(0.25, 3, "0.250"), (0.001, 3, "0.001"), (9.9e-4, 3, "9.90e-04"), (9.9e-4, 4, "0.0010"),
     (-3e-5, 4, "-3.00e-05"), (0.0, 4, "0.0000"), (123.0, 3, "123.000"), (float("nan"), 3, "nan")],
)  # fmt: skip
def test_decimals_of_a_number(value, places, read) -> None:
    assert decimals(value, places) == read


def test_a_small_loss_is_said_in_training(capsys) -> None:
    assert str(LossScore({"lsds": TINY}, {"lsds": 1.0})) == "validation loss 2.50e-05"
    branch = {"score": TINY, "share": 0.5}
    record = {"iteration": 10, "branches": {"a": branch, "b": branch}, "score": TINY / 10}
    for said in (merge_in_words(record), merges_table([record])):
        assert (said.count("2.50e-05"), said.count("2.50e-06")) == (2, 1)
    with Progress("main", done=0, total=9, voxels=10, show=True) as bar:
        bar.advance(TINY)
    assert "loss 2.50e-05" in capsys.readouterr().err
