import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_run
import torch
from funlib.geometry import Roi
from tiny_run import VOXEL_SIZE, config, curve

from config.networks import NETWORKS
from lsd.blockwise.on_disk.lock import exclusive
from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, Dataset, Schedule, Volume, paths
from lsd.system.process import descendants, kill
from lsd.training import initial, loop
from lsd.training.faults import NoMemoryError, NotFiniteError
from lsd.training.loop import train
from lsd.training.progress import Progress
from lsd.volumes.create import create_array

FULL = {
    "accumulate": 2,
    "clip": 0.05,
    "ema": 0.9,
    "weight_decay": 0.01,
    "schedule": Schedule(kind="cosine", warmup=2, final=0.1),
    "iterations": 6,
    "keep": 9,
    "checkpoint_every": 2,
}


def _content(path: Path) -> dict:
    content = checkpoint.load(path)
    # what two runs of other names differ in
    for key in ("config", "config_hash", "sha256"):
        assert content.pop(key)
    return content


def _same(a, b, where="content") -> None:
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            _same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _same(x, y, f"{where}[{i}]")
    else:
        assert a == b, where


def _last(run: Config, stage: str) -> Path:
    found = files.newest(paths.checkpoints(run, stage))
    assert found is not None
    return found


def _signal_at(monkeypatch, iteration: int, number: int) -> None:
    """A signal arrives while that iteration of a stage is under way."""
    advance, count = Progress.advance, [0]

    def counting(self: Progress, loss: float) -> None:
        advance(self, loss)
        count[0] += 1
        if count[0] == iteration:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Progress, "advance", counting)


@pytest.mark.parametrize("extra", [{}, {"precision": "bf16", "channels_last": True}])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch, caplog, extra) -> None:
    straight = config(tmp_path, "mtlsd", name="straight", **(FULL | extra))
    train(straight, progress=False)
    broken = config(tmp_path, "mtlsd", name="broken", **(FULL | extra))
    with monkeypatch.context() as patch:
        _signal_at(patch, 3, signal.SIGTERM)
        with pytest.raises(
            KeyboardInterrupt,
            match=r"SIGTERM in iteration 3 .*goes on from .*iteration_00000003\.pt$",
        ):
            train(broken, progress=False)
    assert "goes on from" not in caplog.text, "who catches it says it, once"
    assert _last(broken, "main").name == "iteration_00000003.pt"
    train(broken, progress=False)
    for iteration in (4, 6):
        name = files.file_name(iteration)
        _same(*(_content(paths.checkpoints(run, "main") / name) for run in (straight, broken)))


def test_killed_without_warning_and_resumed_equals_uninterrupted(tmp_path) -> None:
    """SIGKILL in the second stage, in the middle of writing a checkpoint."""
    straight = config(tmp_path, "acrlsd", name="straight", iterations=4, checkpoint_every=2)
    train(straight, progress=False)
    broken = config(tmp_path, "acrlsd", name="broken", iterations=4, checkpoint_every=2)
    file = tmp_path / "broken.json"
    file.write_text(broken.model_dump_json())
    code = (
        "import os, signal, sys, torch\n"
        "from lsd.spec import Config; from lsd.training.loop import train\n"
        "save = torch.save\n"
        "def killed(content, file):\n"
        "    save(content, file)\n"
        "    if content['stage'] == 'affs' and content['iteration'] == 4: os.kill(os.getpid(), "
        "signal.SIGKILL)\n"
        "torch.save = killed\n"
        f"train(Config.model_validate_json(open({str(file)!r}).read()), progress=False)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    folder = paths.checkpoints(broken, "affs")
    assert _last(broken, "affs").name == "iteration_00000002.pt"
    assert list(folder.glob("*.partial"))
    train(broken, progress=False)
    assert not list(folder.glob("*.partial"))
    _same(*(_content(_last(run, "affs")) for run in (straight, broken)))


def test_workers_change_nothing(tmp_path) -> None:
    runs = [
        config(tmp_path, name=f"workers{n}", workers=n, batch_size=2, iterations=3) for n in (0, 2)
    ]
    _same(*(_content(train(run, progress=False)) for run in runs))


def test_seed_changes_weights_and_batches(tmp_path) -> None:
    runs = [config(tmp_path, name=f"seed{seed}", seed=seed, iterations=1) for seed in (1, 2)]
    a, b = (_content(train(run, progress=False))["model"] for run in runs)
    assert not any(torch.equal(a[key], b[key]) for key in a if key.endswith("weight"))


def test_training_lowers_the_loss(tmp_path) -> None:
    run = config(tmp_path, "mtlsd", iterations=40)
    train(run, progress=False)
    loss = curve(run, "main")
    assert sum(loss[-5:]) < 0.8 * sum(loss[:5])


def test_a_changed_config_is_refused_with_both_values(tmp_path) -> None:
    train(config(tmp_path), progress=False)
    with pytest.raises(ValueError, match=r"train\.learning_rate: was 0\.01, now 0\.5"):
        train(config(tmp_path, learning_rate=0.5, iterations=9), progress=False)


def test_two_do_not_train_one_run(tmp_path) -> None:
    run = config(tmp_path)
    with (
        exclusive(paths.run_folder(run) / "training"),
        pytest.raises(RuntimeError, match="is being written by process"),
    ):
        train(run, progress=False)
    assert train(run, progress=False).exists()


def test_a_finished_run_is_not_touched_and_a_longer_one_goes_on(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    path = train(config(tmp_path, iterations=2), progress=False)
    assert [message.partition(":")[0] for message in caplog.messages] == ["main"]
    caplog.clear()
    before = path.stat().st_mtime_ns
    assert train(config(tmp_path, iterations=2), progress=False) == path
    assert caplog.messages == ["main: all 2 iterations are done; raise train.iterations to go on"]
    assert path.stat().st_mtime_ns == before
    run = config(tmp_path, iterations=4)
    longer = train(run, progress=False)
    [said] = caplog.messages[1:]
    assert said.startswith("main: going on from iteration 2, to iteration 4: ")
    assert len(curve(run, "main")) == 4
    _same(
        _content(longer),
        _content(train(config(tmp_path, name="straight", iterations=4), progress=False)),
    )


def test_what_is_said_of_finished_stages_is_so(tmp_path, caplog) -> None:
    """Raising train.iterations helps the last stage only: the first stays what the last was trained
    on."""
    train(config(tmp_path, "acrlsd", iterations=1), progress=False)
    caplog.set_level("INFO")
    train(config(tmp_path, "acrlsd", iterations=1), progress=False)
    assert caplog.messages == [
        "lsds: all 1 iterations are done",
        "affs: all 1 iterations are done; raise train.iterations to go on",
    ]
    caplog.clear()
    run = config(tmp_path, "acrlsd", iterations=2)
    train(run, progress=False)
    assert caplog.messages[0].startswith(
        "lsds: 1 iterations are done, and a later stage is trained on them; "
    )
    assert caplog.messages[1].startswith("affs: going on from iteration 1, to iteration 2: ")
    assert (_last(run, "lsds").stem, _last(run, "affs").stem) == (
        "iteration_00000001",
        "iteration_00000002",
    )


def test_no_iterations_gives_the_weights_of_the_seed(tmp_path) -> None:
    path = train(config(tmp_path, iterations=0), progress=False)
    assert _last(config(tmp_path), "main").name == "iteration_00000000.pt"
    assert train(config(tmp_path, iterations=0), progress=False) == path


def test_newest_checkpoints_and_the_best_are_kept(tmp_path) -> None:
    run = config(tmp_path, "aff", iterations=6, checkpoint_every=1, keep=2, validate_every=2)
    path = train(run, progress=False)
    assert path.name == "best.pt"
    names = {p.name for p in path.parent.iterdir()}
    assert names == {"best.pt", "iteration_00000005.pt", "iteration_00000006.pt"}
    record = json.loads(paths.validation_file(run).read_text())
    scores = {2 * (i + 1): score for i, score in enumerate(curve(run, "main", "validation/score"))}
    assert record["iteration"] == min(scores, key=lambda i: (scores[i], i))
    assert checkpoint.load(path)["iteration"] == record["iteration"]
    assert record["stage"] == "main"
    assert record["threshold"] in run.segment.thresholds
    assert record["voi_split"] + record["voi_merge"] == pytest.approx(record["score"])


def test_validation_without_volumes_is_told(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=1, validate_every=1)
    train(run.derive(dataset=run.dataset.derive(validate=())), progress=False)
    assert (
        "dataset.validate is empty: nothing is validated, and the latest checkpoint counts as the "
        "best" in caplog.messages
    )


def test_without_validation_the_latest_is_the_best(tmp_path) -> None:
    run = config(tmp_path, iterations=3)
    path = train(run, progress=False)
    assert path.name == "best.pt"
    assert path.samefile(_last(run, "main"))
    assert not paths.validation_file(run).exists()
    validated = config(tmp_path, iterations=4, validate_every=1)
    assert checkpoint.load(train(validated, progress=False))["best"]["iteration"] == 4


def test_best_is_named_again_if_the_run_was_killed_before(tmp_path, monkeypatch) -> None:
    run = config(tmp_path, "aff", iterations=2, validate_every=2)

    def killed(learner):
        loop.keeping.save(learner)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(loop.keeping, "save_best", killed)
        with pytest.raises(ZeroDivisionError):
            train(run, progress=False)
    assert not paths.validation_file(run).exists()
    path = train(run.derive(train=run.train.derive(iterations=3)), progress=False)
    assert path.name == "best.pt"
    assert paths.validation_file(run).exists()


def test_auto_context_is_trained_in_turn_and_kept_in_one_file(tmp_path) -> None:
    run = config(tmp_path, "acrlsd", ema=0.5, validate_every=2)
    content = checkpoint.load(train(run, progress=False))
    first = checkpoint.load(paths.checkpoints(run, "lsds") / "best.pt")
    assert {key.split(".")[0] for key in content["model"]} == {"stage_lsds", "stage_affs"}
    # what the second stage reads are the averaged weights that were validated
    for key, weight in first["ema"].items():
        assert torch.equal(content["model"][key], weight)
    assert not any(key.startswith("stage_lsds") for key in content["ema"])
    assert len(curve(run, "lsds")) == len(curve(run, "affs")) == 5


def test_a_ready_first_stage_is_not_trained(tmp_path) -> None:
    lsd = train(config(tmp_path, "lsd", name="lsd"), progress=False)
    run = config(tmp_path, "aclsd", name="aclsd", init={"lsds": str(lsd)}, frozen=("lsds",))
    content = checkpoint.load(train(run, progress=False))
    assert not paths.checkpoints(run, "lsds").exists()
    for key, weight in checkpoint.load(lsd)["model"].items():
        assert torch.equal(content["model"][key.replace("stage_main", "stage_lsds")], weight)


def test_fine_tuning_begins_with_the_weights_and_nothing_else(tmp_path) -> None:
    start = train(config(tmp_path, name="start"), progress=False)
    tuned = config(tmp_path, name="tuned", init={"main": str(start)}, iterations=0)
    content = checkpoint.load(train(tuned, progress=False))
    _same(content["model"], checkpoint.load(start)["model"])
    assert not content["optimizer"]["state"]


def test_a_damaged_checkpoint_is_refused_not_skipped(tmp_path) -> None:
    run = config(tmp_path)
    train(run, progress=False)
    path = _last(run, "main")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="truncated"):
        train(config(tmp_path, iterations=9), progress=False)


def test_nan_stops_before_it_reaches_the_weights(tmp_path) -> None:
    run = config(tmp_path, learning_rate=1e30, iterations=9, checkpoint_every=1)
    with pytest.raises(
        NotFiniteError,
        match=r"(nan|inf) in iteration \d; training has stopped.*iteration_0000000\d\.pt.*clip",
    ):
        train(run, progress=False)
    content = checkpoint.load(_last(run, "main"))
    assert all(weight.isfinite().all() for weight in content["model"].values())


def test_out_of_memory_names_a_smaller_legal_input(tmp_path, monkeypatch) -> None:
    def full(learner, batches):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(loop, "step", full)
    with pytest.raises(
        NoMemoryError, match=r"try network\.train_shape=\(14, 14, 14\) or train\.precision=bf16"
    ):
        train(config(tmp_path), progress=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_device_is_said_before_training(tmp_path) -> None:
    with pytest.raises(ValueError, match="device 'cuda' is not available"):
        train(config(tmp_path, device="cuda"), progress=False)


def test_a_missing_checkpoint_is_said_before_training(tmp_path) -> None:
    with pytest.raises(
        ValueError, match=r"train\.init names 'no\.pt' for stage 'affs', which is no file"
    ):
        train(config(tmp_path, "acrlsd", init={"affs": "no.pt"}), progress=False)


def test_missing_data_is_said_before_a_network_is_built(tmp_path, monkeypatch) -> None:
    run = config(tmp_path)
    volume = run.dataset.train[0].derive(labels="wrong")
    monkeypatch.setattr(loop.initial, "begin", lambda *_: pytest.fail("a network was built"))
    with pytest.raises(ValueError, match="labels"):
        train(run.derive(dataset=run.dataset.derive(train=(volume,))), progress=False)


def test_frozen_last_stage_is_refused(tmp_path) -> None:
    there = tmp_path / "a.pt"
    there.touch()
    with pytest.raises(ValueError, match="nothing is left to train"):
        train(config(tmp_path, init={"main": str(there)}, frozen=("main",)), progress=False)


def test_what_the_run_folder_holds(tmp_path) -> None:
    run = config(
        tmp_path,
        "mtlsd",
        iterations=4,
        snapshot_every=2,
        validate_every=4,
        schedule=Schedule(warmup=3),
    )
    train(run, progress=True)
    assert Config.model_validate_json(paths.config_file(run).read_text()) == run
    assert from_checkpoint(_last(run, "main")).voxel_size == VOXEL_SIZE
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(paths.run_folder(run) / "main"))
    events.Reload()
    tags = events.Tags()
    scalars = {
        "loss/total",
        "loss/lsds",
        "loss/affs",
        "learning_rate",
        "gradient_norm",
        "iterations_per_second",
    }
    assert scalars | {
        "voxels_per_second",
        "validation/voi_split/0.5",
        "validation/threshold",
    } <= set(tags["scalars"])
    heads = {f"{head}/{kind}" for head in ("lsds", "affs") for kind in ("target", "prediction")}
    assert {"1_raw", "2_labels"} | heads == set(tags["images"])
    assert curve(run, "main", "learning_rate") == pytest.approx([0.005, 0.0075, 0.01, 0.01])
    total, lsds, affs = (curve(run, "main", f"loss/{name}") for name in ("total", "lsds", "affs"))
    assert total == pytest.approx([a + b for a, b in zip(lsds, affs, strict=True)], rel=1e-5)
    assert all(math.isfinite(norm) and norm > 0 for norm in curve(run, "main", "gradient_norm"))


def test_accumulated_batches_are_averaged(tmp_path) -> None:
    """With one step and with three that change nothing, the same batches are seen: losses
    average."""
    together = config(tmp_path, "lr", name="together", iterations=1, accumulate=3)
    single = config(tmp_path, "lr", name="single", iterations=3, learning_rate=1e-30)
    for run in (together, single):
        train(run, progress=False)
    assert curve(together, "main")[0] == pytest.approx(sum(curve(single, "main")) / 3, rel=1e-5)
    # three gradients that do not point the same way
    norms = curve(single, "main", "gradient_norm")
    assert 0 < curve(together, "main", "gradient_norm")[0] < sum(norms) / 3


def test_clipping_bounds_what_adam_sees(tmp_path) -> None:
    run = config(tmp_path, iterations=1, clip=1e-4)
    content = checkpoint.load(train(run, progress=False))
    first = [state["exp_avg"] / (1 - 0.95) for state in content["optimizer"]["state"].values()]
    assert torch.cat([gradient.flatten() for gradient in first]).norm().item() == pytest.approx(
        1e-4, rel=1e-3
    )
    assert curve(run, "main", "gradient_norm")[0] > 1e-3


def test_half_precision_scales_gradients(tmp_path) -> None:
    run = config(tmp_path, iterations=3, precision="fp16")
    content = checkpoint.load(train(run, progress=False))
    assert content["scaler"]["scale"] > 1
    assert content["scheduler"]["last_epoch"] <= 3


def test_threads_are_set_inside_only(tmp_path) -> None:
    before = torch.get_num_threads()
    with loop.cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_tiny_variants_are_those_of_the_house() -> None:
    from config.variants import VARIANTS

    assert {name: [s.reads for s in v.stages] for name, v in VARIANTS.items()} == {
        name: [s.reads for s in v.stages] for name, v in tiny_run.VARIANTS.items()
    }


def test_bf16_over_two_voxels_is_refused(tmp_path, monkeypatch) -> None:
    """Gradients then hold whatever was in memory."""
    monkeypatch.setattr(
        initial, "choose", lambda precision, device: "bf16" if precision == "bf16" else "fp32"
    )
    asked = config(tmp_path, precision="bf16")
    small = NETWORKS["small"].derive(train_shape=(32, 64, 64))
    with pytest.raises(
        ValueError,
        match=r"leaves two voxels or fewer .*take at least \(64, 64, 64\), or train.precision=fp32",
    ):
        initial.check(asked.derive(network=small))
    initial.check(asked.derive(network=small.derive(train_shape=(64, 64, 64))))
    initial.check(config(tmp_path, precision="fp32").derive(network=small))


def test_a_validation_that_fails_loses_nothing(tmp_path, monkeypatch) -> None:
    def fails(*_):
        raise ValueError("an elephant")

    monkeypatch.setattr(loop, "validate", fails)
    run = config(tmp_path, iterations=4, validate_every=3, checkpoint_every=100)
    with pytest.raises(ValueError, match="an elephant"):
        train(run)
    assert [path.name for path in paths.run_folder(run).rglob("iteration_*.pt")] == [
        "iteration_00000003.pt"
    ]


def test_init_may_be_gone_once_it_is_read(tmp_path) -> None:
    first = config(tmp_path, iterations=1, validate_every=0)
    [stage] = first.variant.stages
    weights = tmp_path / "weights.pt"
    weights.write_bytes(train(first).read_bytes())
    run = config(
        tmp_path, name="second", iterations=1, validate_every=0, init={stage.name: str(weights)}
    )
    train(run)
    weights.unlink()
    longer = {"iterations": 2, "init": {stage.name: "elsewhere.pt"}}
    train(run.derive(train=run.train.derive(**longer)))
    with pytest.raises(ValueError, match=r"train\.init names .*weights\.pt.* which is no file"):
        train(run.derive(name="third"))


def test_planes_are_refused_by_training(tmp_path) -> None:
    run = config(tmp_path, iterations=1)
    for name in ("raw", "labels"):
        write_plane(tmp_path / "plane.zarr", name)
    plane = Volume(path=str(tmp_path / "plane.zarr"), raw="raw", labels="labels")
    with pytest.raises(
        ValueError,
        match=r"has 2 axes, wanted: z, y and x; store a plane as one section, \(1, y, x\)",
    ):
        train(run.derive(dataset=Dataset(train=(plane,))))


def write_plane(path: Path, name: str) -> None:
    roi, dtype = Roi((0, 0), (40, 40)), np.uint8 if name == "raw" else np.uint64
    create_array(path, name, roi=roi, voxel_size=(4, 4), dtype=dtype).write(
        np.ones(roi.shape, dtype), roi
    )


@pytest.mark.slow
def test_ctrl_c_while_a_process_that_makes_batches_is_frozen(tmp_path) -> None:
    """The first one ends the run; what was learned is kept."""
    run = config(tmp_path, "aff", workers=2, **(FULL | {"iterations": 100_000}))
    (tmp_path / "config.json").write_text(run.model_dump_json())
    command = [sys.executable, "trainer.py", "-c", str(tmp_path / "config.json")]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            board = paths.run_folder(run)
            _until(lambda: files.newest(paths.checkpoints(run, "main")), process)
            for pid in descendants(process.pid):
                os.kill(pid, signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=40)
        finally:
            kill(*descendants(process.pid), process.pid)
    assert process.returncode == 130, said
    assert "error: interrupted" in said
    assert _last(run, "main").exists()
    assert [path for path in board.rglob("*") if path.suffix in (".lock", ".partial")] == []


def _until(condition, process) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)


def test_a_second_ctrl_c_while_a_checkpoint_is_written(tmp_path, monkeypatch) -> None:
    """The one before is whole, and nothing is left beside it."""
    run = config(tmp_path, "aff", **FULL)
    real = torch.save

    def pressed(content, file) -> None:
        if content["iteration"] == 4:
            file.write(b"half of it")
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
        real(content, file)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", pressed)
        with pytest.raises(KeyboardInterrupt):
            train(run, progress=False)
    folder = paths.run_folder(run)
    assert _last(run, "main").name == "iteration_00000002.pt"
    assert [path for path in folder.rglob("*") if path.suffix in (".lock", ".partial")] == []
    train(run, progress=False)
    assert _last(run, "main").name == "iteration_00000006.pt"
