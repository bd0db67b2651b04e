"""Sweeps are run, stopped and gone on with; in processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import elsewhere
import pytest

from lsd.blockwise.on_disk.lock import exclusive
from lsd.cli.run_folder import run_config
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Dataset
from lsd.spec.paths import run_folder
from lsd.spec.skeletons import SkeletonFiles
from lsd.sweep import pace, results, run
from lsd.sweep.process import Ended, Failed, apart
from lsd.sweep.run import fingerprint, run_sweep
from lsd.system.process import descendants
from lsd.training.loop import train
from lsd.volumes import generated

ROOT = Path(__file__).parents[2]


def made(config, seed: int):
    """A volume like that of the config, of another seed."""
    return config.dataset.test[0].derive(synthetic={"seed": seed})


def quickly(sweep, **changes):
    """One run."""
    first = next(iter(sweep.settings))
    return sweep.derive(settings={first: sweep.settings[first]}, seeds=(1,), **changes)


@pytest.mark.slow
def test_each_run_is_what_the_commands_make(sweep, tmp_path) -> None:
    lines: list[str] = []
    outcome = run_sweep(sweep.derive(seeds=(1,)), progress=lines.append)
    assert not outcome.failures
    assert [line.partition(": ")[0] for line in lines] == [
        "1 of 2, aff_seed1",
        "2 of 2, mtlsd_seed1",
    ]
    # the same by hand, in this process
    config = sweep.all_runs()[0].config.derive(name="by_hand")
    train(config, progress=False)
    predict(config)
    segment(config)
    partition = evaluate(config).part("test")
    scores = outcome.results[0].scores
    assert scores["test VOI sum"] == partition.voi_sum
    assert scores["test ARAND"] == partition.arand
    assert (tmp_path / "runs" / "compared" / "sweep.md").read_text().count("| aff") == 2
    # what is done is skipped, and nothing is written to
    folder = run_folder(sweep.all_runs()[0].config)
    before = _times(folder)
    again = run_sweep(sweep.derive(seeds=(1,)), progress=lines.append)
    assert again.results == outcome.results
    assert lines[-1] == "2 of 2, mtlsd_seed1: was done before"
    assert _times(folder) == before


def _times(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
def test_what_fails_stops_no_other_and_what_changed_is_done_again(sweep) -> None:
    broken = sweep.settings["aff"].config.derive(train={"init": {"main": "nowhere.pt"}})
    mixed = quickly(sweep).settings
    mixed = sweep.derive(settings={"broken": broken, **mixed}, seeds=(1,))
    outcome = run_sweep(mixed)
    assert list(outcome.failures) == ["broken_seed1"]
    assert "nowhere.pt" in outcome.failures["broken_seed1"]
    assert [result.setting for result in outcome.results] == ["aff"]
    content = json.loads((run_folder(mixed.all_runs()[0].config).parent / "sweep.json").read_text())
    assert list(content["failed"]) == ["broken_seed1"]
    # other thresholds: the run is gone through again, and training is not
    lines: list[str] = []
    other = quickly(sweep)
    config = other.settings["aff"].config.derive(segment={"thresholds": (0.9,)})
    found = run_sweep(other.derive(settings={"aff": config}), progress=lines.append)
    assert "done again, since its config or data were others" in lines[0]
    assert found.results[0].threshold == 0.9
    assert found.results[0].seconds["train"] < outcome.results[0].seconds["train"]
    # a schedule for three iterations is none for nine
    config = other.settings["aff"].config.derive(train={"iterations": 9})
    longer = run_sweep(other.derive(settings={"aff": config}))
    said = longer.failures["aff_seed1"]
    assert "was begun with 3 iterations, 9 are asked for; give the sweep another name" in said
    # another learning rate: training refuses, in words
    config = other.settings["aff"].config.derive(train={"learning_rate": 0.5})
    refused = run_sweep(other.derive(settings={"aff": config}))
    assert "learning_rate" in refused.failures["aff_seed1"]


@pytest.mark.slow
def test_other_volumes_are_scored_and_numbers_are_added(sweep) -> None:
    volumes = sweep.settings["aff"].config.dataset
    scored = Dataset(validate=volumes.test, test=volumes.validate)
    (usual,) = run_sweep(quickly(sweep)).results
    assert "volumes" not in usual.scores
    # by the same weights, which are trained once
    other = quickly(sweep, scored=scored, further="elsewhere:further")
    (result,) = run_sweep(other).results
    assert result.scores["volumes"] == 2
    assert result.scores["test VOI sum"] != usual.scores["test VOI sum"]
    # whoever looks at the run sees the volumes that were scored
    [one] = other.all_runs()
    seen = run_config(run_folder(one.config))
    assert seen.dataset == scored
    assert evaluate(seen).part("test").voi_sum == result.scores["test VOI sum"]
    # and its own again once those are scored
    (again,) = run_sweep(quickly(sweep)).results
    assert again.scores["test VOI sum"] == usual.scores["test VOI sum"]
    assert run_config(run_folder(one.config)).dataset == volumes


def _done(function, config, *_) -> dict:
    """In place of a run."""
    return {"scores": {"seed": config.train.seed}, "threshold": None, "seconds": {}}


def test_what_another_process_does_is_left_for_the_end(sweep, monkeypatch) -> None:
    monkeypatch.setattr(run, "apart", _done)
    monkeypatch.setattr(run, "LOOK", 0.01)
    names = [each.config.name for each in sweep.all_runs()]
    one = sweep.all_runs()[0].config
    lines: list[str] = []
    with ExitStack() as other:
        other.enter_context(exclusive(run_folder(one)))

        def progress(line: str) -> None:
            lines.append(line)
            if line.startswith("4 of 4"):
                other.close()

        outcome = run_sweep(sweep, progress=progress)
    assert lines[0] == (
        f"1 of 4, aff_seed1: run by process {os.getpid()} on {socket.gethostname()}, so left for "
        f"the end; if you know that this process is gone, delete {run_folder(one)}.lock"
    )
    told = [line.partition(":")[0] for line in lines[1:]]
    assert told == [f"{number} of 4, {names[number - 1]}" for number in (2, 3, 4, 1)]
    assert [(one.setting, one.seed) for one in outcome.results] == [
        (one.setting, one.seed) for one in sweep.all_runs()
    ]
    # what another one did meanwhile is not done again
    again = run_sweep(sweep, progress=lines.append)
    assert lines[-1].endswith("was done before")
    assert again.results == outcome.results


@pytest.mark.slow
def test_two_processes_share_the_runs_of_a_sweep(sweep, tmp_path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(sweep.derive(seeds=(1,)).model_dump_json())
    command = [sys.executable, "-c", _sweeping(file)]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    for one in sweep.derive(seeds=(1,)).all_runs():
        assert (run_folder(one.config) / "log.txt").read_text().count("training, to iteration") == 1
    content = json.loads((tmp_path / "runs" / "compared" / "sweep.json").read_text())
    assert len(content["runs"]) == 2
    assert not content["failed"]


def test_all_paces_are_measured_before_the_first_run(sweep, monkeypatch) -> None:
    done: list[str] = []

    def measured(function, config):
        done.append(f"pace of {config.name}")
        return {"main": 0.5}

    def run_of(function, config, *arguments):
        done.append(config.name)
        assert config.train.iterations == 120
        return _done(function, config)

    monkeypatch.setattr(pace, "apart", measured)
    monkeypatch.setattr(run, "apart", run_of)
    run_sweep(sweep.derive(minutes=1))
    paces = ["pace of aff", "pace of mtlsd"]
    assert done == [*paces, "aff_seed1", "mtlsd_seed1", "aff_seed2", "mtlsd_seed2"]


def test_a_fingerprint_is_of_config_and_data(sweep, tmp_path) -> None:
    config = sweep.all_runs()[0].config
    first = fingerprint(config, None, None)
    assert fingerprint(config, None, None) == first
    assert fingerprint(config.derive(runs=str(tmp_path / "moved")), None, None) == first
    assert fingerprint(config.derive(train={"seed": 9}), None, None) != first
    # what changes no step
    for told in (
        {"workers": 7}, {"hosts": {"launch": "slurm"}}, {"log_every": 3}, {"snapshot_every": 3},
        {"keep": 9}, {"checkpoint_every": 77}, {"changed_data": "accept"}, {"small": "refuse"},
    ):  # fmt: skip
        assert fingerprint(config.derive(train=told), None, None) == first
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(config.data_root)
    assert fingerprint(config.derive(data_root=str(elsewhere)), None, None) == first
    assert fingerprint(config, config.dataset, None) != first
    assert fingerprint(config, None, "mine:scores") != first
    # what makes no step another one, but chooses what is scored
    for chosen in (
        {"checkpoint": "best"}, {"volumes": ("test",)}, {"region": "0:16, :, :"}, {"memory": 9}
    ):  # fmt: skip
        assert fingerprint(config.derive(predict=chosen), None, None) != first
    test = [volume.derive(skeletons="generated") for volume in config.dataset.test]
    assert fingerprint(config.derive(dataset={"test": test}), None, None) != first
    # whose names are those of the config's own volumes
    scored = Dataset(validate=made(config, 4), test=made(config, 5))
    of_scored = fingerprint(config, scored, None)
    own = generated.path(config.dataset.validate[0].synthetic, tmp_path / "data")
    edited = next(path for path in own.rglob("neuron_ids/**/0*") if path.is_file())
    before = edited.stat()
    os.utime(edited, ns=(1, 1))
    assert fingerprint(config, scored, None) != of_scored
    os.utime(edited, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fingerprint(config, scored, None) == of_scored
    assert _of_skeletons(config, tmp_path, x=10) == _of_skeletons(config, tmp_path, x=10) != first
    assert _of_skeletons(config, tmp_path, x=12) != _of_skeletons(config, tmp_path, x=10)
    chunk = next(
        path
        for path in (tmp_path / "data").rglob("*")
        if path.is_file() and "neuron_ids" in str(path) and path.name[0].isdigit()
    )
    os.utime(chunk, ns=(1, 1))
    assert fingerprint(config, None, None) != first


def _of_skeletons(config, folder, *, x) -> str:
    """The fingerprint where the test volume has a file of skeletons, whose nodes lie at x."""
    file = folder / "neuron_5.swc"
    file.write_text(f"1 0 {x} 10 10 1 -1\n2 0 {x} 20 10 1 1\n")
    skeletons = SkeletonFiles(path=str(file), unit="nm")
    test = [volume.derive(skeletons=skeletons) for volume in config.dataset.test]
    return fingerprint(config.derive(dataset={"test": test}), None, None)


@pytest.mark.slow
def test_a_function_in_another_process() -> None:
    found = apart(elsewhere.number, 7)
    assert found["value"] == 7
    assert found["pid"] != os.getpid()
    with pytest.raises(Failed, match="what was wrong"):
        apart(elsewhere.raises, "what was wrong")
    with pytest.raises(Ended, match="ended by SIGKILL, as the system does where memory runs out"):
        apart(elsewhere.is_killed)
    with pytest.raises(Failed, match="Object of type set is not JSON serializable"):
        apart(elsewhere.no_json)


INTERRUPTED = """
import signal, sys
# a shell in the background has its processes ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {path!r}
import elsewhere
from lsd.sweep.process import apart
try:
    apart(elsewhere.until_told, {file!r})
except KeyboardInterrupt as error:
    print("interrupted:", error)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_reaches_the_other_process(tmp_path, number) -> None:
    file = tmp_path / "state"
    code = INTERRUPTED.format(path=[str(Path(__file__).parent), str(ROOT)], file=str(file))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    _wait(lambda: file.exists() and file.read_text() == "begun")
    child = descendants(process.pid)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in child))
    if number == signal.SIGINT:
        assert said == "interrupted: all is saved\n"
        assert file.read_text() == "saved"


def _wait(condition, *, seconds=30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def _sweeping(file: Path) -> str:
    """What a process does that runs the sweep in a file."""
    return (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom lsd.spec import Sweep\n"
        "from lsd.sweep.run import run_sweep\n"
        f"run_sweep(Sweep.model_validate_json(Path({str(file)!r}).read_text()))"
    )


@pytest.mark.slow
def test_a_sweep_that_was_killed_ends_as_one_that_was_not(sweep, tmp_path) -> None:
    config = sweep.settings["aff"].config.derive(
        train={"iterations": 150, "checkpoint_every": 5, "keep": 1, "log_every": 0}
    )
    one = sweep.derive(settings={"aff": config}, seeds=(1,))
    file = tmp_path / "sweep.json"
    file.write_text(one.model_dump_json())
    process = subprocess.Popen([sys.executable, "-c", _sweeping(file)], stderr=subprocess.DEVNULL)
    folder = run_folder(one.all_runs()[0].config)
    _wait(lambda: any(folder.glob("main/checkpoints/*.pt")), seconds=240)
    below = descendants(process.pid)
    process.kill()
    process.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    assert results.read(folder) is None
    (resumed,) = run_sweep(one).results
    log = (folder / "log.txt").read_text()
    assert "going on from iteration" in log
    (whole,) = run_sweep(one.derive(name="never_stopped")).results
    assert resumed.scores == whole.scores
