"""From a checkpoint's own config to its networks."""

import pytest
import torch
from tiny_networks import TINY_TRUNKS, TINY_VARIANTS, lively

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files, restore
from lsd.spec import Config, Dataset, Network
from lsd.spec.paths import checkpoints

TRUNK = TINY_TRUNKS["unet2d"]


@pytest.fixture(name="config")
def _config(tmp_path):
    network = Network(trunk=TRUNK, train_shape=(25, 25))
    return Config(
        name="tiny",
        dataset=Dataset(),
        variant=TINY_VARIANTS["acrlsd"],
        network=network,
        runs=str(tmp_path),
    )


def _save(config, stage, *, iteration=1, name=None, **more):
    cascade = lively(Cascade(restore.until(config.variant, stage), config.network.trunk))
    content = {
        "config": config.model_dump_json(),
        "stage": stage,
        "iteration": iteration,
        "model": dict(cascade.state_dict()),
        "normalisation": {"to": [-1, 1]},
        **more,
    }
    path = checkpoints(config, stage) / (name or files.file_name(iteration))
    checkpoint.save(path, content)
    return path, cascade.eval()


def test_networks_come_back_from_the_file_alone(config):
    path, cascade = _save(config, "affs", iteration=30)
    restored = restore.from_checkpoint(path)
    assert restored.config == config
    assert (restored.stage, restored.iteration) == ("affs", 30)
    assert restored.sha256 == checkpoint.verify(path)
    assert not restored.cascade.training
    raw = torch.rand(1, 1, 61, 61)
    torch.testing.assert_close(restored.cascade(raw), cascade(raw))


def test_a_first_stage_predicts_by_itself(config):
    path, cascade = _save(config, "lsds")
    restored = restore.from_checkpoint(path)
    raw = torch.rand(1, 1, 25, 25)
    assert list(restored.cascade(raw)) == ["lsds"]
    torch.testing.assert_close(restored.cascade(raw), cascade(raw))


def test_averaged_weights_are_preferred(config):
    halves = {
        key: value / 2
        for key, value in Cascade(config.variant, TRUNK)
        .stage("affs")
        .state_dict(prefix="stage_affs.")
        .items()
    }
    path, cascade = _save(config, "affs", ema=halves)
    averaged, trained = (
        dict(restore.from_checkpoint(path, averaged=a).cascade.state_dict()) for a in (True, False)
    )
    torch.testing.assert_close(trained, dict(cascade.state_dict()))
    torch.testing.assert_close(averaged, {**trained, **halves})


def test_weights_of_another_shape_are_named_and_nothing_is_copied(config):
    path, cascade = _save(config, "affs")
    content = checkpoint.load(path)
    key = "stage_affs.trunk.lowest.0.convolution.weight"
    checkpoint.save(path, {**content, "model": {**content["model"], key: torch.zeros(6, 2, 3, 3)}})
    with pytest.raises(
        ValueError, match=rf"{key} has shape \(6, 2, 3, 3\) there, the network \(6, 3, 3, 3\)"
    ):
        restore.from_checkpoint(path)
    before = {name: value.clone() for name, value in cascade.state_dict().items()}
    for broken in ({**before, "more": torch.zeros(1)}, dict(list(before.items())[1:])):
        with pytest.raises(ValueError, match=r"do not fit the network: .* none"):
            restore.load_weights(cascade, broken, where="x.pt")
    torch.testing.assert_close(dict(cascade.state_dict()), before)


def test_weights_of_one_stage(config):
    path, cascade = _save(config, "affs")
    weights = restore.stage_weights(checkpoint.load(path), "lsds", where=path)
    torch.testing.assert_close(weights, dict(cascade.stage("lsds").state_dict()))
    with pytest.raises(ValueError, match="has no stage 'main'; it has: affs, lsds"):
        restore.stage_weights(checkpoint.load(path), "main", where=path)


def test_config_of_another_version_is_refused(config):
    path, _ = _save(config, "affs")
    checkpoint.save(path, {**checkpoint.load(path), "config": '{"name": "tiny", "new_field": 1}'})
    with pytest.raises(ValueError, match="config"):
        restore.from_checkpoint(path)


def test_stages_until():
    assert [stage.name for stage in restore.until(TINY_VARIANTS["acrlsd"], "lsds").stages] == [
        "lsds"
    ]
    with pytest.raises(ValueError, match="stage 'main' is none of the variant's: lsds, affs"):
        restore.until(TINY_VARIANTS["acrlsd"], "main")


def test_equal_configs_have_equal_hashes(config):
    again = Config.model_validate_json(config.model_dump_json())
    assert restore.config_hash(config) == restore.config_hash(again)
    assert restore.config_hash(config) != restore.config_hash(config.derive(name="other"))


def test_resolving_names(config, tmp_path):
    with pytest.raises(ValueError, match=r"no best checkpoint in .*; train 'tiny' first") as error:
        restore.checkpoint_path("best", config)
    other, _ = _save(config.derive(name="OTHER"), "affs", name="best.pt")
    assert str(error.value).endswith(f", predict.checkpoint={other}")
    first, _ = _save(config, "lsds", iteration=5)
    with pytest.raises(
        ValueError, match=r"no latest checkpoint in .*iteration_00000005.pt \(stage lsds\)"
    ):
        restore.checkpoint_path("latest", config)
    _save(config, "affs", iteration=9)
    newest, _ = _save(config, "affs", iteration=10)
    with pytest.raises(ValueError, match=r"predict\.checkpoint=latest"):
        restore.checkpoint_path("best", config)
    files.make_best(newest)
    assert restore.checkpoint_path("latest", config) == newest
    assert restore.checkpoint_path("best", config) == newest.with_name("best.pt")
    assert restore.checkpoint_path(str(first), config) == first
    with pytest.raises(ValueError, match="is no file; allowed: 'best', 'latest', or the path"):
        restore.checkpoint_path(str(tmp_path), config)


def test_a_run_of_another_variant_is_told_apart(config) -> None:
    _save(config, "lsds")
    other = config.derive(variant=TINY_VARIANTS["mtlsd"])
    with pytest.raises(
        ValueError, match=r"has stages lsds, the config's variant has main; repeat .*config\.json"
    ):
        restore.checkpoint_path("best", other)
