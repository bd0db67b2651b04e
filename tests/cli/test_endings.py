"""How commands end: exit status, and what is said of an interruption."""

import os
import signal
from pathlib import Path

import pytest

from lsd import cli
from lsd.spec import Config

CONFIG = Path(__file__).parents[2] / "config" / "config.py"


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (None, 0),
        (ValueError("broken"), 1),
        (KeyboardInterrupt(), 130),
        (cli.ConfigError("wrong"), 2),
    ],
)
def test_exit_status(raised, status, capsys) -> None:
    def command(config: Config) -> None:
        if raised is not None:
            raise raised

    with pytest.raises(SystemExit) as end:
        cli.main(command, "", argv=["-c", str(CONFIG)])
    assert end.value.code == status
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "interrupted; the same command goes on from the last checkpoint or block"),
        (("--dry-run",), "interrupted; nothing was changed"),
    ],
)
def test_an_interruption_says_what_is_left(capsys, words, says) -> None:
    def interrupted(*_: object) -> list[str]:
        raise KeyboardInterrupt

    command = cli.Command("train", "", interrupted, survey=interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main(["-c", str(CONFIG), *words])
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"error: {says}\n"


def test_a_run_that_was_told_to_end_says_by_what(capsys) -> None:
    def ended_by_the_cluster(*_: object) -> list[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        return []

    command = cli.Command("segment", "", ended_by_the_cluster, survey=ended_by_the_cluster)
    with pytest.raises(SystemExit) as ended:
        command.main(["-c", str(CONFIG), "--dry-run"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "error: interrupted by SIGTERM; nothing was changed\n"


def test_an_interruption_is_said_once_in_its_own_words(capsys) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt("interrupted in iteration 3; the same command goes on from a.pt")

    with pytest.raises(SystemExit) as ended:
        cli.guarded(interrupted, debug=False)
    assert ended.value.code == 130
    assert (
        capsys.readouterr().err
        == "error: interrupted in iteration 3; the same command goes on from a.pt\n"
    )
