"""The log of a run: whole lines of several processes, nothing where there is no run, and no run
that it stops."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch

import lsd
from lsd.report.log import RunLog
from lsd.system.versions import versions

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (\d+) (.*)")


def _said(path: Path) -> list[str]:
    """Without times and processes."""
    return [
        match[3] if (match := LINE.fullmatch(line)) else line.strip()
        for line in path.read_text().splitlines()
    ]


@pytest.fixture(autouse=True)
def _level():
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield
    root.setLevel(before)


def test_what_was_said_and_with_what(tmp_path) -> None:
    path = tmp_path / "log.txt"
    for number in (1, 2):
        with RunLog(path, ("trainer.py", "name=a b")) as log:
            logging.getLogger("lsd.x").info("number %d", number)
            logging.getLogger("lsd.x").warning("two\nlines")
            logging.getLogger("lsd.x").debug("nothing")
            log.note("printed")
    one = _said(path)[: len(_said(path)) // 2]
    assert one[0] == "$ trainer.py 'name=a b'"
    assert one[3:] == ["number 1", "warning: two", "lines", "printed", "done"]
    assert _said(path)[len(one) + 3] == "number 2"
    assert f"torch {torch.__version__.partition('+')[0]}" in one[2]
    assert f"numpy {numpy.__version__}" in one[2]
    assert f"python {sys.version.split()[0]}" in one[2]
    logging.getLogger("lsd.x").info("after")
    assert "after" not in path.read_text()


def test_what_ended_it(tmp_path) -> None:
    path = tmp_path / "log.txt"
    with pytest.raises(ValueError), RunLog(path, ("x",)):
        raise ValueError("an elephant")
    assert "Traceback (most recent call last):" in path.read_text()
    assert _said(path)[-1] == "ValueError: an elephant"
    with pytest.raises(KeyboardInterrupt), RunLog(path, ("x",)):
        raise KeyboardInterrupt
    assert _said(path)[-1] == "interrupted"
    with pytest.raises(KeyboardInterrupt), RunLog(path, ("x",)):
        raise KeyboardInterrupt("interrupted in iteration 3")
    assert _said(path)[-1] == "interrupted in iteration 3"


def test_lines_wait_for_a_folder_and_make_none(tmp_path) -> None:
    path = tmp_path / "run" / "log.txt"
    with RunLog(path, ("x",)):
        logging.getLogger("lsd.x").info("before")
    assert not path.parent.exists()
    with RunLog(path, ("x",)):
        logging.getLogger("lsd.x").info("before")
        path.parent.mkdir()
        logging.getLogger("lsd.x").info("after")
    assert _said(path)[3:] == ["before", "after", "done"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, capsys) -> None:
    path = tmp_path / "log.txt"
    path.mkdir()
    with RunLog(path, ("x",)):
        logging.getLogger("lsd.x").info("said")
    assert capsys.readouterr().err == ""


def test_processes_do_not_tear_each_others_lines(tmp_path) -> None:
    path = tmp_path / "log.txt"
    code = (
        "import logging, sys\n"
        "from pathlib import Path\n"
        "from lsd.report.log import RunLog\n"
        "logging.getLogger().setLevel(logging.INFO)\n"
        "with RunLog(Path(sys.argv[1]), ('x',)):\n"
        "    for i in range(200):\n"
        "        name = sys.argv[2]\n"
        "        logging.getLogger('lsd.x').info('%s %d %s\\n%s', name, i, name * 4000, name * 9)\n"
    )
    names = "abcd"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=ROOT) for name in names
    ]
    assert [process.wait(120) for process in processes] == [0] * len(names)
    lines = path.read_text().splitlines()
    for name in names:
        for i in range(200):
            [at] = [
                n for n, line in enumerate(lines) if line.endswith(f" {name} {i} {name * 4000}")
            ]
            assert LINE.fullmatch(lines[at])
            assert lines[at + 1] == f"    {name * 9}"


def test_the_commit_is_that_of_the_checkout(tmp_path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert versions()["commit"].removesuffix("-dirty") == head
    assert versions()["lsd"] == lsd.__version__
