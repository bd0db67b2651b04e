"""A command that is told to end by SIGTERM, as clusters do."""

import os
import signal
from pathlib import Path

import pytest

from lsd import cli

CONFIG = Path(__file__).parents[2] / "config" / "config.py"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "the same command goes on from the last checkpoint or block"),
        (("--dry-run",), "nothing was changed"),
    ],
)
def test_it_says_by_what_it_ended(capsys, tmp_path, words, says) -> None:
    def ended_by_the_cluster(*_: object) -> list[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        return []

    command = cli.Command("segment", "", ended_by_the_cluster, survey=ended_by_the_cluster)
    with pytest.raises(SystemExit) as ended:
        command.main(["-c", str(CONFIG), f"runs={tmp_path}", *words])
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"error: interrupted by SIGTERM; {says}\n"
