"""Segmentation at located points that is killed, with and without workers: it goes on, and its
result is the same to the bit."""

import signal
import sys
from pathlib import Path

import pytest
from faulted import Script
from hashes import digests

from lsd.objects.seeded import segment_at_seeds
from lsd.spec import paths

sys.path.append(str(Path(__file__).parents[1] / "objects"))
from seeded_run import balls, make_run, table_of

pytestmark = pytest.mark.faults

# "driver" kills the script itself, also where there are workers
PLAN = {
    "SeedsFunction 1": "kill",
    "SeedsFunction 3": "driver",
    "LabelsFunction 2": "driver",
    "StitchedFunction 0": "crash",
}


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_again_and_again_and_resumed(tmp_path, workers) -> None:
    labels = balls((40, 46, 36), count=8, radius=6)
    config = make_run(tmp_path, labels, table_of(labels), seeds={"piece": (24, 24, 24)})
    [checkpoint] = paths.checkpoints(config, "main").glob("*.pt")
    whole = config.derive(name="whole", predict={"checkpoint": str(checkpoint)})
    segment_at_seeds(whole)
    file = tmp_path / "config.json"
    file.write_text(whole.derive(name="killed").model_dump_json())
    words = ("objects.py", "-c", str(file), f"seeds.workers.count={workers}")
    ends = []
    while not ends or ends[-1] == -signal.SIGKILL:
        script = Script.of(tmp_path / "faults", PLAN, *words)
        ends.append(script.ends())
        script.close()
    assert ends[-1] == 0, script.said()
    assert len(ends) > 2
    made = [paths.run_folder(config.derive(name=name)) / "objects" for name in ("killed", "whole")]
    assert digests(made[0]) == digests(made[1])
