"""What benchmarks say of results that failed, that were there before, or are of another machine."""

import datetime
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.seconds import seconds_of


class Named:
    """As much of a config as is asked for."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.name = str(runs), "run"


def test_a_part_that_failed_is_told_by_the_exit_status(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path)
    monkeypatch.setenv("LSD_BENCHMARK_PARTS", "nothing")
    assert benchmarks.main(["scale"]) == 1
    (written,) = tmp_path.glob("*.json")
    assert json.loads(written.read_text())["results"]["scale"]["error"].startswith("nothing: ")


@pytest.mark.parametrize("before", ["in each", "once"])
def test_each_result_names_its_own_machine(tmp_path, monkeypatch, before) -> None:
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path)
    path = tmp_path / f"{datetime.date.today().isoformat()}.json"
    there = {"machine": {"load": 9}}
    earlier = {"partition": {"ratio": 19.0}}
    path.write_text(
        json.dumps({**there, "results": earlier})
        if before == "once"
        else json.dumps({"results": {"partition": {**there, **earlier["partition"]}}})
    )
    monkeypatch.setattr(benchmarks, "machine", lambda: {"load": 1})
    benchmarks.write({"step": {"machine": benchmarks.machine(), "ratio": 2.0}})
    results = json.loads(path.read_text())["results"]
    assert {name: result["machine"]["load"] for name, result in results.items()} == {
        "partition": 9,
        "step": 1,
    }
    assert "| machine | load 9 |" in path.with_suffix(".md").read_text()


def test_what_was_there_before_has_no_seconds(tmp_path) -> None:
    def step(config) -> None:
        (tmp_path / "run" / "segmentation").mkdir(parents=True, exist_ok=True)

    first, second = (seconds_of(step, Named(tmp_path), makes="segmentation") for _ in range(2))
    assert first is not None
    assert second is None
