"""What train.init gives to a network that is not quite the one it was trained for."""

import pytest
import torch
from tiny_run import AFFS, LONG, LSDS, NETWORKS, config

from lsd.network.checkpoints import checkpoint, files
from lsd.spec import Config, Head, Network, Stage, UNet, Variant, paths
from lsd.targets.target import channels
from lsd.training.loop import train


def _run(folder, name: str, *stages: Stage, **fields) -> Config:
    run = config(folder, name=name, iterations=0)
    train_fields = run.train.derive(**fields)
    return run.derive(variant=Variant(stages=stages), train=train_fields)


def _weights(run: Config, kind: str = "model") -> dict[str, torch.Tensor]:
    """Of a run's last stage, by their names in its network."""
    stage = run.variant.stages[-1].name
    newest = files.newest_file(paths.checkpoints(run, stage))
    assert newest is not None
    return {
        key.removeprefix(f"stage_{stage}."): value
        for key, value in checkpoint.load(newest)[kind].items()
    }


@pytest.fixture
def trained(tmp_path):
    """A run with one head of affinities after some steps, with averaged weights, and its
    checkpoint."""
    run = config(tmp_path, name="trained", iterations=3, ema=0.5, seed=5)
    return run, str(train(run, progress=False))


HEADS = {
    # what is new, and what of the file is not used
    "a head more": ({"affs": AFFS, "lsds": LSDS}, {"head lsds"}, set()),
    "another head": ({"lsds": LSDS}, {"head lsds"}, {"head affs"}),
    "more channels": ({"affs": LONG}, {"head affs"}, {"head affs"}),
    "the same": ({"affs": AFFS}, set(), set()),
}


@pytest.mark.parametrize("ema", [None, 0.99])
@pytest.mark.parametrize("case", HEADS)
def test_what_matches_is_loaded_and_the_rest_is_named(tmp_path, caplog, trained, case, ema) -> None:
    heads, fresh, unused = HEADS[case]
    first, path = trained
    caplog.set_level("INFO")
    run = _run(tmp_path, "tuned", Stage(heads=heads), init={"main": path}, ema=ema)
    bare = _run(tmp_path, "bare", Stage(heads=heads))
    for each in (run, bare):
        train(each, progress=False)
    given, found, untouched = _weights(first, "ema"), _weights(run), _weights(bare)
    for key, value in found.items():
        layer = key.replace("heads.head_", "head ").rpartition(".")[0]
        assert torch.equal(value, untouched[key] if layer in fresh else given[key]), key
    if ema:
        averaged = _weights(run, "ema")
        assert all(torch.equal(averaged[key], value) for key, value in found.items())
    [said] = [message for message in caplog.messages if message.startswith(f"main: from {path}")]
    assert ("start fresh: " in said) == bool(fresh)
    assert all(name in said.partition("start fresh: ")[2].partition(";")[0] for name in fresh)
    assert all(name in said.partition("not used: ")[2] for name in unused)
    assert ("not used" in said) == bool(unused)


def test_a_second_stage_begins_with_a_network_that_read_raw_alone(
    tmp_path, caplog, trained
) -> None:
    """Its first layer has more channels: weight and bias stay together, so neither is taken."""
    first, path = trained
    stages = (
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}),
    )
    lsd = _run(tmp_path, "lsd", stages[0])
    frozen = {"init": {"affs": path, "lsds": str(train(lsd, progress=False))}, "frozen": ("lsds",)}
    run, bare = _run(tmp_path, "tuned", *stages, **frozen), _run(tmp_path, "bare", *stages)
    caplog.set_level("INFO")
    for each in (run, bare):
        train(each, progress=False)
    given, found, untouched = _weights(first, "ema"), _weights(run), _weights(bare)
    entry = "trunk.down.0.0.convolution"
    assert found[f"{entry}.weight"].shape[1] == 1 + channels(LSDS.target, 3)
    for key, value in found.items():
        if not key.startswith("stage_lsds"):
            assert torch.equal(value, (untouched if key.startswith(entry) else given)[key]), key
    assert f"start fresh: {entry}; not used: {entry}" in caplog.text


def test_a_frozen_stage_must_fit_as_it_is(tmp_path, trained) -> None:
    """A stage that nobody trains cannot start fresh."""
    stages = (
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(name="affs", reads=("lsds",), heads={"affs": AFFS}),
    )
    run = _run(tmp_path, "frozen", *stages, init={"lsds": trained[1]}, frozen=("lsds",))
    with pytest.raises(ValueError, match=r"stage 'lsds'.*do not fit the network: heads\.head_affs"):
        train(run, progress=False)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sigma": 40}, r"heads\.lsds\.sigma 20\.0 there, 40\.0 here"),
        ({"activation": "elu"}, r"trunk\.activation 'relu' there, 'elu' here"),
        ({"padding": "same", "loss": "bce"}, ""),
    ],
    ids=["target", "network", "what changes nothing"],
)
def test_a_frozen_stage_means_what_the_config_says(tmp_path, changed, says) -> None:
    """Shapes fit, so descriptors of one sigma passed for those of another, and a network with
    another activation said something that nobody had trained."""
    lsd = _run(tmp_path, "lsd", Stage(name="lsds", heads={"lsds": LSDS}))
    frozen = {"init": {"lsds": str(train(lsd, progress=False))}, "frozen": ("lsds",)}
    target = LSDS.target.derive(sigma=changed.get("sigma", 20))
    stages = (
        Stage(name="lsds", heads={"lsds": Head(target=target, loss=changed.get("loss", "mse"))}),
        Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}),
    )
    trunk = {key: changed[key] for key in ("activation", "padding") if key in changed}
    run = _run(tmp_path, "other", *stages, **frozen).derive(network={"trunk": trunk})
    if not says:
        train(run, progress=False)
        return
    with pytest.raises(ValueError, match=rf"stage 'lsds'.* used as they are, .*{says}"):
        train(run, progress=False)


def test_a_frozen_stage_that_knows_other_voxels_is_told(tmp_path, caplog) -> None:
    lsd = _run(tmp_path, "lsd", Stage(name="lsds", heads={"lsds": LSDS}))
    frozen = {"init": {"lsds": str(train(lsd, progress=False))}, "frozen": ("lsds",)}
    stages = (*lsd.variant.stages, Stage(name="affs", reads=("lsds",), heads={"affs": AFFS}))
    run = _run(tmp_path, "same", *stages, **frozen)
    train(run, progress=False)
    assert "used as it is" not in caplog.text
    volumes = [each.derive(voxel_size=(20, 20, 20)) for each in run.dataset.train]
    train(run.derive(name="larger", dataset={"train": volumes}), progress=False)
    assert "(for stage 'lsds') is used as it is, and training volumes have voxels of" in caplog.text


def test_weights_of_another_activation_are_told(tmp_path, caplog, trained) -> None:
    """All of them fit, and the network that they make is another one."""
    run = _run(tmp_path, "tuned", Stage(heads={"affs": AFFS}), init={"main": trained[1]})
    train(run, progress=False)
    assert "another network.trunk" not in caplog.text
    train(run.derive(name="elu", network={"trunk": {"activation": "elu"}}), progress=False)
    assert "trunk.activation 'relu' there, 'elu' here; what is loaded" in caplog.text


def test_another_init_of_a_run_that_has_begun_is_told(tmp_path, caplog, trained) -> None:
    """It changed nothing, without a word: who added it took the run for a fine-tuned one."""
    run, best = trained
    second = str(files.newest_file(paths.checkpoints(run, "main")))
    begun = run.derive(name="begun", train={"iterations": 1, "init": {"main": best}})
    train(begun, progress=False)
    longer = begun.derive(train={"iterations": 2})
    for init, told in (({"main": best}, []), ({}, []), ({"main": second}, [second])):
        caplog.clear()
        train(longer.derive(train={"init": init}), progress=False)
        said = [text for text in caplog.messages if text.startswith("train.init names")]
        assert [text.split()[2] for text in said] == told
    plain = run.derive(train={"iterations": 4, "init": {"main": best}})
    train(plain, progress=False)
    [said] = [text for text in caplog.messages if "which began with weights of its own" in text]
    assert "goes on from" in said


def test_where_nothing_matches_it_is_refused(tmp_path, trained) -> None:
    other = UNet(features=3, multiplier=3, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    run = _run(tmp_path, "other", Stage(heads={"lsds": LSDS}), init={"main": trained[1]}).derive(
        network=Network(trunk=other, train_shape=(18, 18, 18), predict_shape=(22, 22, 22))
    )
    with pytest.raises(
        ValueError,
        match=r"no layer in .* fits the network, e\.g\. .* has shape \(.*\) there, the network \(",
    ):
        train(run, progress=False)
    flat = _run(tmp_path, "flat", Stage(heads={"lsds": LSDS}), init={"main": trained[1]})
    with pytest.raises(ValueError, match=r"no layer in .* fits the network"):
        train(flat.derive(network=NETWORKS["2d"]), progress=False)


def test_a_run_goes_on_with_its_own_network_only(tmp_path, trained) -> None:
    first, _ = trained
    more = Variant(stages=(Stage(heads={"affs": AFFS, "more": Head(target=AFFS.target)}),))
    with pytest.raises(ValueError, match="the config differs from the one"):
        train(first.derive(variant=more), progress=False)
