"""The table of scores, character by character."""

import numpy as np
from funlib.geometry import Roi

from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import scoring
from lsd.evaluation.partition import Partition
from lsd.evaluation.scores import Evaluation, VolumeScores
from lsd.report.table import scores_table, table
from lsd.spec import Evaluate
from lsd.sweep.chain import scores_by_heading

SCORES = Partition(0.5, 0.25, (60.0, 80.0, 100.0), voxels=100, segments=3, objects=2)
ROI = Roi((0, 0, 0), (1, 10, 10))


def _volume(part, scored=SCORES, **more):
    return VolumeScores(part, ROI, scored, **more)


def test_columns_are_aligned() -> None:
    text = table(("name", "voxels", "score"), [("a", 1000, 0.12345), ("longer", 5, 12.0)])
    assert text.splitlines() == [
        "name    voxels   score",
        "----------------------",
        "a         1000   0.123",
        "longer       5  12.000",
    ]


def test_what_is_small_is_no_zero() -> None:
    rows = [("a", 3e-5), ("b", 0.0), ("c", 0.00123)]
    lines = table(("name", "score"), rows).splitlines()[2:]
    assert lines == ["a     3.00e-05", "b        0.000", "c        0.001"]


def test_scores() -> None:
    volumes = {
        "a": _volume("validate"),
        "b": _volume("validate", fragments=SCORES),
        "c": _volume("test"),
    }
    lines = scores_table(Evaluation(0.3, "validation volumes: a, b", volumes)).splitlines()
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["a", "validate"],
        ["b", "validate"],
        ["c", "test"],
        ["all", "validate"],
    ]
    assert lines[3].split()[2:] == ["0.500", "0.250", "0.750", "0.333", "0.500", "0.750"]
    assert lines[2].split()[-1] == "-"
    assert lines[-1] == "threshold 0.3, from validation volumes: a, b; VOI in bits"


def test_without_threshold_the_sweep_is_shown() -> None:
    volumes = {"c": _volume("test", None, sweep={0.1: SCORES, 0.2: SCORES})}
    lines = scores_table(Evaluation(None, "nothing was validated", volumes)).splitlines()
    assert [line.split()[2] for line in lines[2:4]] == ["0.100", "0.200"]
    assert lines[-1].startswith("no threshold: nothing was validated")


def test_the_score_of_the_formula_of_cremi_says_that_it_is_not_theirs() -> None:
    lines = scores_table(
        Evaluation(0.3, "validation volumes: a", {"a": _volume("validate")})
    ).splitlines()
    assert "CREMI" not in lines[0]
    assert lines[0].split()[-3:-1] == ["sqrt(VOI*ARAND)", "fragments'"]
    assert float(lines[2].split()[-2]) == round((SCORES.voi_sum * SCORES.arand) ** 0.5, 3)
    note = " ".join(lines[3:-1])
    assert "cremi.org leaves out truth within 25 nm of a boundary" in note
    assert "segment 0 as single voxels in ARAND only" in note


def test_scores_of_objects_have_headings_of_their_own_and_undefined_is_a_dash() -> None:
    score, nothing = scoring(Evaluate(metric="objects")), np.zeros(4, int)
    found = {
        "a": _volume("validate", score(Contingency.of(np.arange(4), np.arange(4)))),
        "b": _volume("validate", score(Contingency.of(nothing, nothing))),
    }
    lines = scores_table(Evaluation(0.3, "validation volumes: a, b", found)).splitlines()
    assert lines[0].endswith("fragments' accuracy50")
    assert lines[2].split()[2:] == ["1.000"] * 8 + ["-"]
    assert lines[3].split()[2:] == ["-"] * 9
    assert lines[4].split() == ["all", "validate", *["1.000"] * 8]
    assert "COCO" in lines[5]
    assert lines[-1] == "threshold 0.3, from validation volumes: a, b"


def test_columns_of_sweeps_are_those_of_before_where_a_test_volume_was_scored() -> None:
    """Without one the validation volumes have all columns."""
    test, validate = {"c": _volume("test")}, {"a": _volume("validate")}
    columns = ["VOI split", "VOI merge", "VOI sum", "ARAND", "sqrt(VOI*ARAND)"]
    both = scores_by_heading(Evaluation(0.3, "", {**validate, **test}))
    assert list(both) == ["validate VOI", *(f"test {column}" for column in columns)]
    alone = scores_by_heading(Evaluation(0.3, "", validate))
    assert list(alone) == ["validate VOI", *(f"validate {column}" for column in columns)]
    assert alone["validate VOI"] == alone["validate VOI sum"] == SCORES.voi_sum
