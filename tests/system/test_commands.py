"""Messages name the commands as the person who started the run can type them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsd.system.commands import SCRIPTS, hand_on, of_config, typed

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setenv("LSD_SCRIPTS", "")


@pytest.mark.parametrize("program", ["/usr/bin/lsd", "/usr/bin/pytest", "-c", "", "mine.py"])
def test_whoever_uses_no_script_is_told_the_program(monkeypatch, tmp_path, program) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [program])
    assert typed("segment") == "`lsd segment`"


@pytest.mark.parametrize("program", ["trainer.py", "super_predicter_daisy.py", "demo.py"])
def test_whoever_uses_the_scripts_is_told_the_script(monkeypatch, program) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [program])
    assert typed("segment") == "`python segment.py`"
    assert typed("predict") == "`python predicter.py`"
    assert typed("new") == "`lsd new`"


def test_the_folder_is_named_as_it_was_typed(monkeypatch, tmp_path) -> None:
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for script in SCRIPTS.values():
        (folder / script).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["my checkout/trainer.py"])
    assert typed("train") == "`python 'my checkout/trainer.py'`"


@pytest.mark.parametrize(
    ("program", "expected"),
    [("trainer.py", "`python segment.py`"), ("/usr/bin/lsd", "`lsd segment`")],
)
def test_processes_of_the_run_know_it_too(monkeypatch, program, expected) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [program])
    hand_on()
    code = "from lsd.system.commands import typed; print(typed('segment'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == expected


def test_config_and_overrides_are_repeated_as_without_them_another_run_is_meant(
    monkeypatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["segment.py"])
    with of_config(Path("my lab/mine.py"), ["name=mine", "predict.region=0:50, :, :"]):
        words = "-c 'my lab/mine.py' name=mine 'predict.region=0:50, :, :'"
        assert typed("predict") == f"`python predicter.py {words}`"
        # takes the folder of a run
        assert typed("export") == "`python export.py`"
    assert typed("predict") == "`python predicter.py`"
    with of_config(None, []):
        assert typed("predict") == "`python predicter.py`"


@pytest.mark.parametrize("script", SCRIPTS.values())
def test_every_script_is_there(script) -> None:
    assert (ROOT / script).is_file()
