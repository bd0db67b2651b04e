"""Cores that a process may use, as Linux says it."""

import os
import subprocess
import sys

import pytest

from lsd.system.cores import cores, too_many_threads


def test_the_least_of_what_is_bound_and_of_quotas(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    assert cores(root=tmp_path) == 8
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/job/step\n")
    job = tmp_path / "sys" / "fs" / "cgroup" / "job"
    (job / "step").mkdir(parents=True)
    (job / "step" / "cpu.max").write_text("max 100000\n")
    assert cores(root=tmp_path) == 8
    (job / "cpu.max").write_text("250000 100000\n")
    assert cores(root=tmp_path) == 3
    (job / "step" / "cpu.max").write_text("50000 100000\n")
    assert cores(root=tmp_path) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing is bound to cores here")
def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from lsd.system.cores import cores; print(cores())"
    )
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert made.stdout.strip() == "1"


def test_threads_that_wait_for_each_other(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    for threads, processes in ((None, 9), (1, 9), (4, 1), (2, 2)):
        assert not list(too_many_threads(threads, "predict.threads", processes=processes))
    (doubt,) = too_many_threads(2, "predict.threads", processes=3)
    assert doubt.startswith("predict.threads=2 in each of 3 processes, and there are 4 cores to")
    assert doubt.endswith("take predict.threads=1")
