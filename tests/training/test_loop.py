"""Training from the first iteration to the last: what is learned, kept and shown."""

import json
import math

import pytest
import tiny_run
import torch
from checkpointed import assert_same, content_of, last
from tiny_run import VOXEL_SIZE, config, curve

from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import scoring
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, Evaluate, ObjectDetection, Schedule, paths
from lsd.training.faults import NotFiniteError
from lsd.training.loop import train
from lsd.training.validation import Validation, Validator


@pytest.mark.slow
def test_workers_change_nothing(tmp_path) -> None:
    runs = [
        config(tmp_path, name=f"workers{n}", workers=n, batch_size=2, iterations=3) for n in (0, 2)
    ]
    assert_same(*(content_of(train(run, progress=False)) for run in runs))


def test_seed_changes_weights_and_batches(tmp_path) -> None:
    runs = [config(tmp_path, name=f"seed{seed}", seed=seed, iterations=1) for seed in (1, 2)]
    a, b = (content_of(train(run, progress=False))["model"] for run in runs)
    assert not any(torch.equal(a[key], b[key]) for key in a if key.endswith("weight"))


def test_training_lowers_the_loss(tmp_path) -> None:
    run = config(tmp_path, "mtlsd", iterations=40)
    train(run, progress=False)
    loss = curve(run, "main")
    assert sum(loss[-5:]) < 0.8 * sum(loss[:5])


def test_no_iterations_gives_the_weights_of_the_seed(tmp_path) -> None:
    path = train(config(tmp_path, iterations=0), progress=False)
    assert last(config(tmp_path), "main").name == "iteration_00000000.pt"
    assert train(config(tmp_path, iterations=0), progress=False) == path


def test_where_nothing_can_be_validated_the_newest_checkpoint_is_the_best(
    tmp_path, caplog, monkeypatch
) -> None:
    run = config(tmp_path, "aff", iterations=4, checkpoint_every=1, keep=1, validate_every=2)
    score = scoring(Evaluate(metric=ObjectDetection()))(Contingency.of([1, 0], [0, 0]))
    monkeypatch.setattr(Validator, "__call__", lambda *_: Validation(score))
    path = train(run, progress=False)
    assert checkpoint.load(path)["iteration"] == 4
    record = json.loads(paths.validation_file(run).read_text())
    assert (record["iteration"], record["score"], record["objects"]) == (4, None, 0)
    assert caplog.text.count("nothing is validated, and the newest checkpoint counts") == 2


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
    [message] = [text for text in caplog.messages if "dataset.validate is empty" in text]
    assert "nothing is validated, and the latest checkpoint counts as the best" in message
    assert "name validation volumes in dataset.validate" in message


def test_without_validation_the_latest_is_the_best(tmp_path) -> None:
    run = config(tmp_path, iterations=3)
    path = train(run, progress=False)
    assert path.name == "best.pt"
    assert path.samefile(last(run, "main"))
    assert not paths.validation_file(run).exists()
    validated = config(tmp_path, iterations=4, validate_every=1)
    assert checkpoint.load(train(validated, progress=False))["best"]["iteration"] == 4


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


def test_nan_stops_before_it_reaches_the_weights(tmp_path) -> None:
    run = config(tmp_path, learning_rate=1e30, iterations=9, checkpoint_every=1)
    with pytest.raises(
        NotFiniteError,
        match=r"(nan|inf) in iteration \d; training has stopped.*iteration_0000000\d\.pt.*clip",
    ):
        train(run, progress=False)
    content = checkpoint.load(last(run, "main"))
    assert all(weight.isfinite().all() for weight in content["model"].values())


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
    assert from_checkpoint(last(run, "main")).voxel_size == VOXEL_SIZE
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


def test_tiny_variants_are_those_of_the_house() -> None:
    from config.variants import VARIANTS

    assert {name: [s.reads for s in v.stages] for name, v in VARIANTS.items()} == {
        name: [s.reads for s in tiny_run.VARIANTS[name].stages] for name in VARIANTS
    }
