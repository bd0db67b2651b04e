"""A train_shape that does not fit the trunk is a wrong config: told by the field's name, with the
nearest that fit, before anything is made."""

import pytest
from outside_run import make_config

from lsd.cli.commands.train import COMMAND
from lsd.network.sizes import training_shapes
from lsd.spec import Affinities, Head, Stage, Variant
from lsd.spec.mistakes import ConfigError
from lsd.training.loop import train

VARIANT = Variant(stages=Stage(heads={"affs": Head(target=Affinities())}))


@pytest.mark.parametrize(
    ("shape", "nearest"),
    [((17, 18, 19), [(16, 18, 18), (18, 18, 20)]), ((2, 18, 18), [(10, 18, 18)])],
)
def test_it_is_told_by_its_name_and_what_it_names_fits(tmp_path, shape, nearest) -> None:
    config = make_config(tmp_path, VARIANT, imports=())
    wrong = config.derive(network={"train_shape": shape})
    with pytest.raises(ConfigError) as caught:
        train(wrong, progress=False)
    message = str(caught.value)
    assert message.startswith(f"network.train_shape: {shape} does not fit the trunk; nearest that")
    assert " or ".join(f"network.train_shape={fit}" for fit in nearest) in message
    for fit in nearest:
        network = config.network.derive(train_shape=fit)
        raw, output = training_shapes(VARIANT, network, stage="main")
        assert (raw, output) == (fit, tuple(n - 8 for n in fit))


def test_the_command_exits_as_for_any_wrong_config(tmp_path, capsys) -> None:
    file = tmp_path / "config.json"
    file.write_text(make_config(tmp_path, VARIANT, imports=()).model_dump_json())
    for words in ([], ["--dry-run"]):
        with pytest.raises(SystemExit) as end:
            COMMAND.main(["-c", str(file), "network.train_shape=(17, 18, 18)", *words])
        assert end.value.code == 2
        assert (
            capsys.readouterr()
            .err.splitlines()[-1]
            .startswith("error: network.train_shape: (17, 18, 18) does not fit")
        )
    assert not (tmp_path / "runs" / "outside" / "main").exists()
