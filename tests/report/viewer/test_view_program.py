"""`lsd view` as a program: it prints an address that answers, until it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from run_with_segments import VOLUME, segmented_run

from lsd.spec.paths import run_folder

pytest.importorskip("neuroglancer")


@pytest.mark.slow
def test_it_is_served_until_it_is_interrupted(tmp_path) -> None:
    folder = run_folder(segmented_run(tmp_path))
    words = [sys.executable, "-m", "lsd", "view", str(folder), VOLUME]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as program:
        address, said = (program.stdout.readline().strip() for _ in range(2))
        try:
            assert address.startswith("http://127.0.0.1:"), program.stderr.read()
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert b"<html" in answer.read().lower()
        finally:
            program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=60)
    assert program.returncode == 130, told
    state = folder / "viewer" / f"{VOLUME}.json"
    assert str(state) in said
    assert told.splitlines()[-1] == (
        "no longer served; the same command brings it up again as it was"
    )
    layers = json.loads(state.read_text())["layers"]
    assert [layer["name"] for layer in layers][:2] == ["raw", "truth"]
