"""How long a step takes: measured once, by one process, and noted; and how many iterations some
minutes are then."""

import json
import shutil
import time
from contextlib import ExitStack

import pytest

from lsd.blockwise.on_disk.lock import exclusive
from lsd.spec import ForkMerge
from lsd.sweep import pace, run


def made(config, seed: int):
    """A volume like that of the config, of another seed."""
    return config.dataset.test[0].derive(synthetic={"seed": seed})


def test_minutes_become_iterations_by_noted_seconds(sweep, tmp_path, monkeypatch) -> None:
    config, asked = sweep.settings["mtlsd"].config, []

    def apart(function, measured):
        asked.append(measured)
        return {"main": 0.5}

    monkeypatch.setattr(pace, "apart", apart)
    options = {"setting": "mtlsd", "folder": tmp_path}
    assert pace.iterations(config, 2, **options) == 240
    other = {"seed": 7, "iterations": 9, "changed_data": "accept"}
    assert pace.iterations(config.derive(train=other), 1, **options) == 120
    assert len(asked) == 1
    assert asked[0].train.iterations == pace.ITERATIONS
    assert asked[0].train.validate_every == 0
    # another network takes another time
    wider = config.derive(train={"batch_size": 2})
    pace.iterations(wider, 1, **options)
    assert len(asked) == 2
    file = tmp_path / "pace.json"
    content = json.loads(file.read_text())["mtlsd"]
    assert content["seconds"] == {"main": 0.5}
    # what comes after training, and which volumes are scored, do not; iterations would be others
    for after in (
        {"error_map": {"suspects": 7}}, {"seeds": {"threshold": 0.3}}, {"train": {"keep": 9}},
        {"dataset": {"validate": [made(config, 9)], "test": [made(config, 8)]}},
    ):  # fmt: skip
        pace.iterations(wider.derive(**after), 1, **options)
    assert len(asked) == 2
    # as an earlier version noted it
    content["depends_on"] |= {"evaluate": {}, "imports": [], "error_map": {"suspects": 5}}
    content["depends_on"]["dataset"]["test"] = []
    file.write_text(json.dumps({"mtlsd": content}))
    pace.iterations(wider, 1, **options)
    assert len(asked) == 2


def test_one_process_measures_and_others_take_what_it_noted(sweep, tmp_path, monkeypatch) -> None:
    config, noted = sweep.settings["mtlsd"].config, tmp_path / "elsewhere"
    monkeypatch.setattr(pace, "LOOK", 0.01)
    monkeypatch.setattr(pace, "apart", lambda function, measured: {"main": 0.5})
    pace.seconds_per_step(config, setting="mtlsd", folder=noted)
    monkeypatch.setattr(pace, "apart", lambda *_: pytest.fail("it was measured twice at once"))
    lines: list[str] = []
    with ExitStack() as other:
        other.enter_context(exclusive(tmp_path / "pace.json"))

        def progress(line: str) -> None:
            lines.append(line)
            shutil.copy(noted / "pace.json", tmp_path / "pace.json")
            other.close()

        found = sweep.derive(
            name=tmp_path.name, runs=str(tmp_path.parent), settings={"mtlsd": config}, minutes=1
        )
        run.measure_paces(found, progress=progress)
    assert "so waited for; if you know that this process is gone, delete" in lines[0]
    assert lines[1:] == ["mtlsd: main 0.500 s a step; 120 iterations"]


def test_minutes_of_a_training_in_rounds_are_whole_rounds(sweep, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pace, "apart", lambda function, measured: {"main": 0.5})
    config = sweep.settings["mtlsd"].config.derive(
        train={"mode": ForkMerge(every=100), "iterations": 300}
    )
    options = {"setting": "mtlsd", "folder": tmp_path}
    assert pace.iterations(config, 2, **options) == 200
    # less than a round is one
    assert pace.iterations(config, 0.1, **options) == 100


def test_seconds_are_measured(sweep, tmp_path) -> None:
    begin = time.perf_counter()
    config = sweep.settings["mtlsd"].config
    seconds = pace.seconds_per_step(config, setting="mtlsd", folder=tmp_path)
    took = time.perf_counter() - begin
    assert list(seconds) == ["main"]
    assert 0 < seconds["main"] * pace.ITERATIONS < took
