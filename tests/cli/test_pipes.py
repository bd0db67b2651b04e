"""Output that nobody reads to its end: the program ends without a word, as others do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsd import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "lsd", "help"),
        ("-m", "lsd", "train", "--help"),
        ("-m", "lsd", "--version"),
        ("trainer.py", "--print-config"),
        ("sweep.py", "-c", "config/examples/sweep.py", "--dry-run"),
    ],
    ids=" ".join,
)
def test_a_reader_that_has_gone_ends_it_quietly(words) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_another_broken_pipe_is_a_failure(capsys) -> None:
    """That of a worker, say: standard output is read to its end."""

    def fails() -> None:
        raise BrokenPipeError("the worker is gone")

    with pytest.raises(SystemExit) as ended:
        cli.guarded(fails, debug=False)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: the worker is gone\n"
