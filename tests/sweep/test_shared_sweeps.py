"""What processes of one sweep, and commands one after another, leave to each other: results that
are still right, and failures; numbers of one's own."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lsd.spec.paths import run_folder
from lsd.sweep import chain, run
from lsd.sweep.basis import fingerprint
from lsd.sweep.chain import numbers
from lsd.sweep.failure import FAILURE
from lsd.sweep.process import Ended, Failed
from lsd.sweep.results import Result
from lsd.sweep.run import run_sweep


class Runs:
    """In place of runs: does nothing, fails those that it is told, and notes which were begun.

    between: what another process does while the first run is under way
    """

    def __init__(self, error=None, *, failing=(), between=None) -> None:
        self.error, self.failing, self.between = error, failing, between
        self.begun: list[str] = []

    def __call__(self, function, config, *_) -> dict:
        self.begun.append(config.name)
        if self.between:
            between, self.between = self.between, None
            between()
        if config.name in self.failing:
            raise self.error
        return {"scores": {"seed": config.train.seed}, "threshold": None, "seconds": {}}


@pytest.mark.parametrize(
    ("error", "again"), [(Failed("no memory"), False), (Ended("ended by SIGKILL"), True)]
)
def test_what_failed_in_another_process_is_not_tried_again(
    sweep, monkeypatch, error, again
) -> None:
    """A run that a signal ended says nothing of the run, so it is tried."""
    failing = "mtlsd_seed1"

    def other_process() -> None:
        only = sweep.derive(settings={"mtlsd": sweep.settings["mtlsd"]}, seeds=(1,))
        assert list(run_sweep(only).failures) == [failing]

    runs = Runs(error, failing=[failing], between=other_process)
    monkeypatch.setattr(run, "apart", runs)
    lines: list[str] = []
    outcome = run_sweep(sweep, progress=lines.append)
    assert runs.begun.count(failing) == 1 + again
    assert [one.seed for one in outcome.results] == [1, 2, 2]
    how = "" if again else " (in another process of this sweep)"
    assert outcome.failures == {failing: f"{error}{how}"}
    assert f"2 of 4, {failing}: failed: {error}{how}" in lines
    # the same command later tries it
    runs.failing = ()
    folder = run_folder(sweep.all_runs()[1].config)
    assert (folder / FAILURE).exists() != again
    assert not run_sweep(sweep).failures
    assert runs.begun.count(failing) == 2 + again
    assert not (folder / FAILURE).exists()


@pytest.mark.parametrize("error", [RuntimeError("a driver"), KeyError("raw"), MemoryError()])
def test_what_is_wrong_with_the_data_of_a_run_stops_no_other(sweep, monkeypatch, error) -> None:
    def of_data(config, *_) -> str:
        if config.name == "aff_seed1":
            raise error
        return config.name

    monkeypatch.setattr(run, "fingerprint", of_data)
    monkeypatch.setattr(run, "apart", Runs())
    outcome = run_sweep(sweep)
    assert len(outcome.results) == 3
    assert outcome.failures == {"aff_seed1": str(error) or "MemoryError"}


def left(sweep, setting: str, seed: int, depends_on: str) -> Result:
    """A result that an earlier command left."""
    made = Result(setting, seed, depends_on, {"VOI": 1.0}, 0.5, 3, {})
    made.save(run_folder(sweep.one_run("aff", seed).config).parent / f"{setting}_seed{seed}")
    return made


def test_results_of_another_config_are_not_compared(sweep, monkeypatch) -> None:
    monkeypatch.setattr(run, "apart", Runs(Failed("no memory"), failing=["aff_seed2"]))
    config = sweep.one_run("aff", 7).config
    same = left(sweep, "aff", 7, fingerprint(config, None, None))
    left(sweep, "aff", 8, "another learning rate")
    # of runs of the sweep, one of which fails now
    left(sweep, "aff", 2, "another learning rate")
    left(sweep, "mtlsd", 2, "another learning rate")
    unnamed = left(sweep, "gone", 1, "of a setting that is not asked for")
    lines: list[str] = []
    tables: list[set] = []
    written = run.results.write

    def write(folder, *parts, **fields) -> None:
        written(folder, *parts, **fields)
        tables.append(table(folder))

    monkeypatch.setattr(run.results, "write", write)
    outcome = run_sweep(sweep, progress=lines.append)
    others = {(one.setting, one.seed) for one in (same, unnamed)}
    assert tables[0] == {("aff", 1), *others}
    assert tables[-1] == {("aff", 1), ("mtlsd", 1), ("mtlsd", 2), *others}
    assert {(one.setting, one.seed) for one in outcome.table} == tables[-1]
    told = [line for line in lines if line.startswith("aff_seed8 was done with another config")]
    assert len(told) == 1
    assert not [line for line in lines if line.startswith("aff_seed2")]


def table(folder) -> set:
    content = json.loads((folder / "sweep.json").read_text())
    return {(one["setting"], one["seed"]) for one in content["runs"]}


def test_numbers_of_a_metric_of_ones_own_are_plain(sweep, monkeypatch) -> None:
    found = {"test purity": np.float32(0.5), "test pieces": np.int64(3), "test odd": np.nan}
    for step in ("check_volumes", "train", "predict", "segment", "evaluate", "draw_all"):
        monkeypatch.setattr(chain, step, lambda *_: SimpleNamespace(threshold=0.5))
    monkeypatch.setattr(chain, "scores_by_heading", lambda _: found)
    outcome = chain.do(sweep.all_runs()[0].config, None, None)
    # as it goes from one process to another
    scores = json.loads(json.dumps(outcome))["scores"]
    assert scores == {"test purity": 0.5, "test pieces": 3, "test odd": None}


def test_a_small_number_is_said_as_in_the_table(sweep, monkeypatch) -> None:
    monkeypatch.setattr(
        run, "apart", lambda *_: {"scores": {"loss": 3e-5}, "threshold": None, "seconds": {}}
    )
    lines: list[str] = []
    run_sweep(sweep.derive(seeds=(1,)), progress=lines.append)
    assert lines[0].endswith("loss 3.00e-05")


def test_numbers_of_ones_own_are_plain() -> None:
    found = {
        "a": np.float32(0.5), "b": np.int64(3), "c": torch.tensor(0.25), "d": None, "e": np.nan,
        "f": float("inf"), "g": 7,
    }  # fmt: skip
    plain = numbers(found, of="mine:scores")
    assert json.loads(json.dumps(plain)) == {
        "a": 0.5, "b": 3, "c": 0.25, "d": None, "e": None, "f": None, "g": 7
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"mine:scores gives 'a': 'good'; wanted: a number, or"):
        numbers({"a": "good"}, of="mine:scores")
    with pytest.raises(ValueError, match="mine:scores gives list; wanted: a dictionary"):
        numbers([1], of="mine:scores")


def test_a_function_that_is_not_there_is_told_before_any_run(sweep, monkeypatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(run, "apart", lambda function, config, *_: begun.append(config.name))
    with pytest.raises(ValueError, match="further='elsewhere:mine': elsewhere has no function 'm"):
        run_sweep(sweep.derive(further="elsewhere:mine"))
    with pytest.raises(ValueError, match="further='nowhere:mine': No module named 'nowhere'"):
        run_sweep(sweep.derive(further="nowhere:mine"))
    assert not begun


def test_processes_that_train_one_run_together_do_no_sweep(sweep, monkeypatch) -> None:
    """Each would train another run, and the gradients of all be added up."""
    begun: list[str] = []
    monkeypatch.setattr(run, "apart", lambda function, config, *_: begun.append(config.name))
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    for command in (run_sweep, run.measure_paces):
        with pytest.raises(ValueError, match="start the command itself as often as you like"):
            command(sweep)
    assert not begun
    # alone in its group it is as any other
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setattr(run, "apart", Runs())
    assert not run_sweep(sweep).failures
