"""What each step of a run took stands in the run's folder."""

import json

import pytest

from config.config import config as usual
from lsd.prediction.usage_file import noting_usage, read_usage
from lsd.spec.paths import run_folder, usage_file


@pytest.fixture
def config(tmp_path):
    config = usual.derive(name="tiny", runs=str(tmp_path / "runs"))
    run_folder(config).mkdir(parents=True)
    return config


def test_each_time_is_a_line_also_where_it_failed(config) -> None:
    @noting_usage("count")
    def count(config, ends, *, how=None):
        if ends:
            raise ends
        return config.name, how

    assert count(config, None, how="well") == ("tiny", "well")
    for ends in (ValueError("no"), KeyboardInterrupt()):
        with pytest.raises(type(ends)):
            count(config, ends)
    noted = read_usage(config)
    assert [each["ended"] for each in noted] == ["done", "failed", "interrupted"]
    assert {each["step"] for each in noted} == {"count"}
    assert all(each["seconds"] >= 0 and each["memory_bytes"] > 10**6 for each in noted)
    assert all(each["versions"]["numpy"] for each in noted)


def test_what_another_process_notes_is_not_noted_twice(config, monkeypatch) -> None:
    noting_usage("a", unless=lambda config: config.name == "tiny")(lambda config: None)(config)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    noting_usage("b")(lambda config: None)(config)
    assert read_usage(config) == []
    monkeypatch.setenv("RANK", "0")
    noting_usage("c")(lambda config: None)(config)
    assert [each["step"] for each in read_usage(config)] == ["c"]


def test_no_folder_is_made_and_what_cannot_be_written_stops_nothing(config, tmp_path) -> None:
    elsewhere = config.derive(name="other")
    assert noting_usage("a")(lambda config: 3)(elsewhere) == 3
    assert not run_folder(elsewhere).exists()
    usage_file(config).mkdir()
    assert noting_usage("a")(lambda config: 3)(config) == 3


def test_a_damaged_line_is_left_out(config) -> None:
    noting_usage("a")(lambda config: None)(config)
    with usage_file(config).open("a") as file:
        file.write('{"step": "b", "secon\n[1]\n{}\n')
    assert [each["step"] for each in read_usage(config)] == ["a"]
    assert json.loads(usage_file(config).read_text().splitlines()[0])["step"] == "a"
