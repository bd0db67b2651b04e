"""A loss of a module outside the package, with a parameter of its own: trained, kept in
checkpoints, gone on with, averaged and validated by."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kinds_outside.loss import Tempered

from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, Head, Mse, Stage, Variant, paths
from lsd.spec.kinds import import_kinds
from lsd.training.learner import new_learner
from lsd.training.loop import train
from lsd.training.validation import Validator

sys.path.append(str(Path(__file__).parent / "training"))
from checkpointed import assert_same, content_of
from tiny_run import AFFS, LSDS, config

MODULE = "kinds_outside.loss"
KEY = "head_affs.log_temperature"
SETTINGS = {"iterations": 6, "checkpoint_every": 2, "keep": 9, "ema": 0.5, "weight_decay": 0.1}


@pytest.fixture(autouse=True)
def _imported() -> None:
    import_kinds([MODULE])


def tempered(folder, *, name: str, **train_fields) -> Config:
    """The affinities of MtLSD are learned by it."""
    heads = {"lsds": LSDS, "affs": Head(target=AFFS.target, loss=Tempered(begin=0.7, weight=2))}
    run = config(folder, "mtlsd", name=name, **(SETTINGS | train_fields))
    return run.derive(variant=Variant(stages=(Stage(heads=heads),)), imports=(MODULE,))


def temperature(content: dict) -> float:
    return content["losses"][KEY].exp().item()


def test_its_parameter_is_trained_and_lies_in_checkpoints(tmp_path) -> None:
    run = tempered(tmp_path, name="run", iterations=3, checkpoint_every=1)
    train(run, progress=False)
    contents = [content_of(paths.checkpoints(run, "main") / files.file_name(i)) for i in (1, 2, 3)]
    seen = [0.7, *(temperature(content) for content in contents)]
    assert len(set(seen)) == 4, "each step moves it"
    # Adam moves a parameter by as much as its rate, whatever its gradient; decay would add to that
    assert abs(torch.tensor(seen[1] / 0.7).log().item()) == pytest.approx(0.01, rel=1e-3)
    assert [group["weight_decay"] for group in contents[0]["optimizer"]["param_groups"]] == [0.1, 0]
    average, own = contents[2]["ema_of_losses"][KEY], contents[2]["losses"][KEY]
    assert average != own
    assert from_checkpoint(paths.checkpoints(run, "main") / "best.pt").losses[KEY] == average


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [{}, {"workers": 1, "accumulate": 2, "clip": 0.05}],
    ids=["alone", "with workers"],
)
def test_stopped_and_gone_on_with_equals_uninterrupted(tmp_path, extra) -> None:
    """In another process, which imports the module because the config that it runs names it."""
    straight = tempered(tmp_path, name="straight", **extra)
    train(straight, progress=False)
    broken = tempered(tmp_path, name="broken", **extra)
    train(broken.derive(train={"iterations": 4}), progress=False)
    file = tmp_path / "config.json"
    file.write_text(broken.model_dump_json())
    code = (
        f"from lsd.spec.kinds import import_kinds; import_kinds([{MODULE!r}])\n"
        "from lsd.spec import Config; from lsd.training.loop import train\n"
        f"train(Config.model_validate_json(open({str(file)!r}).read()), progress=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for iteration in (4, 6):
        name = files.file_name(iteration)
        assert_same(
            *(content_of(paths.checkpoints(run, "main") / name) for run in (straight, broken))
        )


def test_it_is_what_a_stage_is_validated_by(tmp_path) -> None:
    """By the averaged temperature, and again by that of the best when the region is another."""
    run = tempered(tmp_path, name="run", iterations=3, validate_every=1, checkpoint_every=1)
    run = run.derive(segment={"affinities": "elsewhere"})
    train(run, progress=False)
    record = json.loads(paths.validation_file(run).read_text())
    found = _score(run, record["iteration"])
    assert record["losses"] == pytest.approx(found.record()["losses"], rel=1e-6)
    assert record["score"] == pytest.approx(
        record["losses"]["lsds"] + 2 * record["losses"]["affs"], rel=1e-6
    )
    untrained = _score(run, record["iteration"], trained=False)
    assert untrained.record()["losses"]["affs"] != pytest.approx(record["losses"]["affs"], rel=1e-4)
    other = run.derive(train={"validate_every": 0, "iterations": 3}, evaluate={"region": "30:38"})
    longer = other.derive(train={"validate_every": 4, "iterations": 4})
    train(longer, progress=False)
    content = content_of(paths.checkpoints(run, "main") / files.file_name(4))
    best = content["best"]
    assert best["score"] == pytest.approx(_score(longer, best["iteration"]).score, rel=1e-6)


def _score(run: Config, iteration: int, *, trained: bool = True):
    """Validation of a checkpoint; trained: with the parameters of its losses."""
    [stage] = run.variant.stages
    restored = from_checkpoint(paths.checkpoints(run, "main") / files.file_name(iteration))
    losses = new_learner(run, stage).losses
    if trained:
        losses.load_state_dict(dict(restored.losses))
    return Validator(run, stage)(restored.cascade, losses)


def test_a_checkpoint_of_before_has_no_parameters_of_losses(tmp_path) -> None:
    """It goes on where its losses own none; where they own one, it is said."""
    plain = config(tmp_path, name="plain", iterations=2, ema=0.5)
    newest = train(plain, progress=False).with_name(files.file_name(2))
    content = checkpoint.load(newest)
    assert content["losses"] == content["ema_of_losses"] == {}
    before = {k: v for k, v in content.items() if k not in ("losses", "ema_of_losses")}
    newest.unlink()
    checkpoint.save(newest, before)
    assert checkpoint.load(train(plain.derive(train={"iterations": 3}), progress=False))
    run = tempered(tmp_path, name="run", iterations=2)
    train(run, progress=False)
    newest = paths.checkpoints(run, "main") / files.file_name(2)
    content = checkpoint.load(newest)
    newest.unlink()
    checkpoint.save(newest, {**content, "losses": {}})
    with pytest.raises(ValueError, match=r"do not fit the losses: head_affs\.log_temperature"):
        train(run.derive(train={"iterations": 3}), progress=False)


def test_a_config_that_does_not_name_its_module_is_refused(tmp_path) -> None:
    run = config(tmp_path)
    heads = {"affs": Head(target=AFFS.target, loss=Tempered())}
    with pytest.raises(ValueError, match=r"kind 'tempered' is defined in module 'kinds_outside"):
        run.derive(variant=Variant(stages=(Stage(heads=heads),)))
    assert Head(target=AFFS.target, loss={"kind": "tempered"}).loss == Tempered()
    assert Head(target=AFFS.target).loss == Mse()
