"""Steps of several processes that share batches are those of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shared_steps import CASES
from tiny_run import config

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
PROGRAM = "import sys, shared_steps; shared_steps.main(sys.argv[1], int(sys.argv[2]))"
pytestmark = pytest.mark.slow
# seconds that three processes may take
PATIENCE = 500


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[int, dict]:
    folder = tmp_path_factory.mktemp("steps")
    config(folder)  # writes the volume, once
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, ROOT))),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(rank)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    try:
        for process in processes:
            # the others wait for one that has failed
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return {size: json.loads((folder / f"{size}.json").read_text()) for size in (1, 2, 3)}


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_losses_and_weights_are_those_of_one_process(results, case, size) -> None:
    one, shared = results[1][case], results[size][case]
    # fp16 rounds what is added up in another order
    fields = CASES[case][-1]
    rounding = 1e-3 if fields.get("precision") == "fp16" else 1e-5
    np.testing.assert_allclose(shared["loss"], one["loss"], rtol=rounding)
    np.testing.assert_allclose(shared["heads"], one["heads"], rtol=rounding)
    np.testing.assert_allclose(shared["norm"], one["norm"], rtol=10 * rounding)
    assert shared["scale"] == one["scale"]
    # Adam divides by the gradient: where that is next to nothing, its last bits count
    differences = np.abs(np.subtract(shared["weights"], one["weights"]))
    assert differences.mean() < rounding
    assert np.quantile(differences, 0.95) < 10 * rounding


def test_a_step_that_overflows_in_one_process_is_left_out_in_all(results) -> None:
    """In the first of three processes nothing is known, so its own gradient is 0."""
    for found in results.values():
        assert found["overflow"]["scale"] == [2.0**37]
        assert found["overflow"]["weights"] == results[1]["overflow"]["weights"]


def test_what_is_compared_is_no_triviality(results) -> None:
    """Losses differ from case to case and from step to step, and gradients are there."""
    for found in results[1].values():
        assert len(set(found["loss"])) == len(found["loss"]) == 3
        assert not min(found["norm"]) < 1e-4
    assert len({found["loss"][0] for found in results[1].values()}) > 8
