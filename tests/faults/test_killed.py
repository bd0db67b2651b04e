"""The scripts killed and interrupted: what they leave, and how they go on."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulted import IN_BLOCKS, Script, check, other, runs, take_prediction, workers

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Config, paths

pytestmark = pytest.mark.faults


@runs
@pytest.mark.parametrize("count", [1, 2])
def test_workers_change_nothing(undisturbed, tmp_path, name, count) -> None:
    source, expected = undisturbed(name)
    config = other(source, runs=tmp_path, segment={"workers": workers(count)})
    if IN_BLOCKS in name:
        take_prediction(config, source)
    else:
        predict(config, workers=workers(count))
    segment(config)
    evaluate(config)
    check(config, expected)


EDGES = {
    "whole": (
        {"ContactsFunction 2": "kill", "ContactsFunction 6": "driver"},
        {"WholeFunction 0": "kill"},
    ),
    "blocks": ({"EdgesFunction 2": "kill", "EdgesFunction 6": "driver"},),
}
KILLED = {
    "super_predicter_daisy.py": (
        {"HeadsFunction 2": "kill", "HeadsFunction 7": "driver"},
        {"HeadsFunction 12": "crash"},
        {"HeadsFunction 18": "kill", "HeadsFunction 24": "driver"},
    ),
    "segment.py": (
        {"FragmentsFunction 2": "kill", "FragmentsFunction 6": "driver"},
        ...,
        {"SegmentsFunction 4": "crash"},
    ),
}


def plans_of(command: str, agglomeration: str) -> Iterator[dict[str, str]]:
    """What is to happen, start by start; ... stands for the steps that score edges."""
    for plan in KILLED[command]:
        yield from EDGES[agglomeration] if plan is ... else [plan]


def half_written(config: Config) -> list[Path]:
    return [path for path in paths.run_folder(config).rglob("*.partial") if path.is_file()]


@runs
def test_killed_three_times_and_resumed(undisturbed, start, tmp_path, name) -> None:
    """A worker, and then the script, while others are at work; once in the middle of a chunk."""
    source, expected = undisturbed(name)
    config = with_workers(other(source, runs=tmp_path / "runs"))
    commands = list(KILLED)
    if IN_BLOCKS in name:
        commands.remove("super_predicter_daisy.py")
        take_prediction(config, source)
    for command in commands:
        plans = list(plans_of(command, config.segment.agglomeration))
        # a worker dies when its block comes, which may be a start earlier than its plan's: others
        # go on until the script dies
        planned = {block: what for plan in plans for block, what in plan.items() if what == "kill"}
        for plan in plans:
            planned |= plan
            assert start(command, config, planned).ends() == -signal.SIGKILL
            # any kill may come while a chunk is written; this one always does
            assert half_written(config) or "crash" not in plan.values()
        last = start(command, config, planned)
        assert last.ends() == 0, last.said()
        assert all((last.folder / block).exists() for block in planned), "all of it happened"
        assert half_written(config) == []
    evaluate(config)
    check(config, expected)


def with_workers(config: Config) -> Config:
    return other(config, predict={"workers": workers(2)}, segment={"workers": workers(2)})


def interrupted(script: Script) -> bool:
    """Whether it ended as if by Ctrl-C, and said in a sentence how to go on."""
    assert script.ends() == 130, script.said()
    words = r"error: interrupted( by SIGTERM)?; the same command goes on from"
    assert re.match(words, script.said().splitlines()[-1])
    return "Traceback" not in script.said()


def test_ctrl_c_while_workers_are_busy_and_a_second_run(undisturbed, start, tmp_path) -> None:
    """A terminal sends it to all processes of the script."""
    config, expected = undisturbed("synthetic")
    config = with_workers(other(config, runs=tmp_path / "runs"))
    script = start("super_predicter_daisy.py", config, {"HeadsFunction 3": "wait"})
    script.meets()
    writer = (
        rf"em\.zarr is being written by process {script.process.pid} on host {socket.gethostname()}"
    )
    with pytest.raises(RuntimeError, match=writer):
        predict(config)
    os.killpg(script.process.pid, signal.SIGINT)
    assert interrupted(script)
    predict(config)
    check(config, expected, "prediction")


def test_sigterm_while_workers_are_busy(copy, start) -> None:
    config, expected = copy()
    config = with_workers(config)
    shutil.rmtree(paths.segmentation(config, "em"))
    script = start("segment.py", config, {"ContactsFunction 3": "wait"})
    script.meets()
    script.process.terminate()
    assert interrupted(script)
    segment(other(config, segment={"workers": workers(0)}))
    check(config, expected)


def test_sigterm_without_workers(undisturbed, start, tmp_path) -> None:
    config, expected = undisturbed("synthetic")
    config = other(config, runs=tmp_path / "runs")
    assert interrupted(start("predicter.py", config, {"HeadsFunction 3": "term"}))
    with pytest.raises(
        ValueError,
        match=r"prediction of volume 'em' is not whole, \d+ of its \d+ blocks are not done",
    ):
        segment(config)
    assert verify_blocks(paths.run_folder(config)) == []
    predict(config)
    check(config, expected, "prediction")
