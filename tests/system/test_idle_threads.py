"""Threads that wait for others sleep, in all that commands start; what a person set stays."""

import os
import subprocess
import sys

import pytest

from lsd.system.threads import sleep_where_idle

POLICY = "OMP_WAIT_POLICY"


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLICY, "active")
    sleep_where_idle()
    assert os.environ[POLICY] == "active"


@pytest.mark.parametrize(
    "module", ["lsd.cli.command", "lsd.cli.commands.sweep", "lsd.blockwise.running.worker"]
)
def test_is_asked_before_torch_is_there(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_openmp_listens() -> None:
    # GNU's says at its start what it goes by, where it is asked to
    pytest.importorskip("torch")
    code = (
        "from lsd.system.threads import sleep_where_idle; sleep_where_idle(); "
        "import os, torch; print(os.environ['OMP_WAIT_POLICY'])"
    )
    clean = {name: value for name, value in os.environ.items() if name != POLICY}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "OMP_DISPLAY_ENV": "true"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "passive"
    if "OPENMP DISPLAY ENVIRONMENT" in done.stderr:
        assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
