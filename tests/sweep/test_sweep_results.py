"""Means and spreads over seeds; the table; what a sweep is as a value."""

import json
import math
import statistics

import pytest
from pydantic import ValidationError

from lsd.spec import Setting, Sweep
from lsd.sweep import results
from lsd.sweep.results import Result, Spread


def result(setting: str, seed: int, **scores) -> Result:
    return Result(setting, seed, "x", scores, 0.5, 100, {"train": 60.0})


RESULTS = [
    result("aff", 1, VOI=1.0, merges=12),
    result("aff", 2, VOI=1.5, merges=None),
    result("mtlsd", 1, VOI=0.25, ERL=7.0),
]


def test_spreads_are_those_of_statistics() -> None:
    found = results.spreads(RESULTS)
    voi = found["aff"]["VOI"]
    assert voi.mean == 1.25
    assert voi.deviation == pytest.approx(statistics.stdev([1.0, 1.5]))
    # a seed that left a number undefined is no 0
    assert found["aff"]["merges"].values == (12,)
    assert found["aff"]["merges"].undefined == 1
    assert found["mtlsd"]["VOI"].deviation is None
    assert voi.as_dict()["values"] == [1.0, 1.5]
    assert (voi.as_dict()["least"], voi.as_dict()["most"]) == (1.0, 1.5)


def test_the_table_has_a_row_for_each_setting() -> None:
    heading, body = results.rows(RESULTS)
    assert heading == ["setting", "seeds", "iterations", "VOI", "merges", "ERL"]
    assert body == [
        ["aff", "2", "100", "1.250 ± 0.354", "12 (1 of 2)", "-"],
        ["mtlsd", "1", "100", "0.250", "-", "7"],
    ]
    lines = results.as_markdown(RESULTS).splitlines()
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[3] == "| mtlsd | 1 | 100 | 0.250 | - | 7 |"
    assert "1.250 ± 0.354" in results.as_text(RESULTS)


def test_each_seed_has_a_row_below_those_of_the_settings() -> None:
    mixed = [RESULTS[1], RESULTS[2], RESULTS[0]]
    heading, body = results.rows_of_seeds(mixed)
    assert heading == ["setting", "seed", "iterations", "threshold", "VOI", "merges", "ERL"]
    assert body == [
        ["aff", "1", "100", "0.5", "1", "12", "-"],
        ["aff", "2", "100", "0.5", "1.500", "-", "-"],
        ["mtlsd", "1", "100", "0.5", "0.250", "-", "7"],
    ]
    means, seeds = results.as_markdown(mixed).split("\n\n")
    assert len(means.splitlines()) == 2 + 2
    assert len(seeds.splitlines()) == 2 + 3
    undefined = Result("aff", 3, "x", {"AP": math.nan, "IoU": 0.5}, None, 100, {})
    assert results.rows_of_seeds([undefined])[1] == [["aff", "3", "100", "-", "0.500"]]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_undefined(value) -> None:
    seeds = [result("aff", 1, AP=0.25), result("aff", 2, AP=value), result("aff", 3, AP=0.75)]
    assert results.rows(seeds)[1] == [["aff", "3", "100", "0.500 ± 0.354 (2 of 3)"]]
    assert results.rows(seeds[1:2])[1] == [["aff", "1", "100"]]


def test_numbers_have_digits_that_a_person_reads() -> None:
    assert str(Spread((1234.56,))) == "1234.6"
    assert str(Spread((0.0,))) == "0.000"


def test_small_numbers_of_settings_are_told_apart() -> None:
    shown = [str(Spread(values)) for values in ((3e-5, 4e-5), (1e-5,), (-2e-7,), (1.0, 1.00002))]
    assert shown[:3] == ["3.50e-05 ± 7.07e-06", "1.00e-05", "-2.00e-07"]
    assert shown[3] == "1.000 ± 1.41e-05"
    assert str(Spread((0.689, 0.690))) == "0.690 ± 0.0007"
    # whatever the size, what is read is within half of the last digit
    for power in range(-12, 6):
        for value in (1.2345 * 10.0**power, -9.87 * 10.0**power):
            read = float(str(Spread((value,))))
            assert read == pytest.approx(value, rel=0.01, abs=5e-4 if abs(value) >= 1e-3 else 0)


def test_a_result_is_read_as_it_was_written(tmp_path) -> None:
    RESULTS[0].save(tmp_path)
    assert results.read(tmp_path) == RESULTS[0]
    (tmp_path / results.RESULT).write_text('{"setting": "half')
    assert results.read(tmp_path) is None
    assert results.read(tmp_path / "nowhere") is None


def test_what_failed_stands_in_the_json(tmp_path) -> None:
    results.write(tmp_path, RESULTS, {"lr_seed1": "no memory"})
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert content["failed"] == {"lr_seed1": "no memory"}
    assert content["settings"]["aff"]["VOI"]["mean"] == 1.25
    assert [run["seed"] for run in content["runs"]] == [1, 2, 1]


def test_results_of_earlier_commands_stay_in_the_table(tmp_path) -> None:
    RESULTS[1].save(tmp_path / "aff_seed2")
    RESULTS[2].save(tmp_path / "mtlsd_seed1")
    newer = result("mtlsd", 1, VOI=0.125)
    found = results.with_others([newer], tmp_path)
    assert found == [newer, RESULTS[1]]
    results.write(tmp_path, [newer], {})
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert list(content["settings"]) == ["mtlsd", "aff"]
    assert content["settings"]["mtlsd"]["VOI"]["mean"] == 0.125


def test_a_copy_of_a_run_is_no_other_seed(tmp_path) -> None:
    RESULTS[1].save(tmp_path / "aff_seed2")
    RESULTS[1].save(tmp_path / "aff_seed2_before")
    assert results.with_others([], tmp_path) == [RESULTS[1]]


def test_runs_of_a_sweep(sweep) -> None:
    runs = sweep.all_runs()
    names = [run.config.name for run in runs]
    assert names == ["aff_seed1", "mtlsd_seed1", "aff_seed2", "mtlsd_seed2"]
    assert [run.config.train.seed for run in runs] == [1, 1, 2, 2]
    assert {run.config.runs for run in runs} == {f"{sweep.runs}/compared"}
    assert runs[1].config.variant == sweep.settings["mtlsd"].config.variant


def test_minutes_are_those_of_the_setting_first(sweep) -> None:
    config = sweep.settings["aff"].config
    other = sweep.derive(
        minutes=5, settings={"a": config, "b": Setting(config=config, minutes=0.5)}
    )
    assert [other.minutes_of(name) for name in ("a", "b")] == [5, 0.5]
    assert sweep.minutes_of("aff") is None


def test_a_sweep_is_equal_after_a_round_trip(sweep) -> None:
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seeds": (1, 1)}, "holds one twice"),
        ({"seeds": ()}, "seeds"),
        ({"name": "a/b"}, "one folder name; 'a/b' has a separator"),
        ({"settings": {}}, "settings"),
        ({"minutes": 0}, "minutes"),
        ({"further": "os.system"}, "further"),
    ],
)
def test_refuses(sweep, change, says) -> None:
    with pytest.raises(ValidationError, match=says):
        sweep.derive(**change)


def test_a_setting_is_part_of_a_folder(sweep) -> None:
    with pytest.raises(ValidationError, match="a setting's name is part of a folder's"):
        sweep.derive(settings={"a/b": sweep.settings["aff"]})
