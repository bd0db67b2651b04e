"""The command line: overrides, suggestions, all mistakes at once."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lsd import cli
from lsd.cli.arguments import parser
from lsd.cli.overrides import DEFAULT_CONFIG, DICTIONARIES

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "config.py"


def test_the_default_config_loads() -> None:
    assert cli.load(CONFIG).name == "synthetic_mtlsd"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("train.batch_size=2", lambda c: c.train.batch_size == 2),
        ("variant=acrlsd", lambda c: [s.name for s in c.variant.stages] == ["lsds", "affs"]),
        (
            "variant.stages.0.heads.lsds.target.sigma=120",
            lambda c: c.variant.stages[0].heads["lsds"].target.sigma == 120,
        ),
        (
            "predict.region=0:50, :, 3:",
            lambda c: c.predict.region == ((0, 50), (None, None), (3, None)),
        ),
        ("train.clip=none", lambda c: c.train.clip is None),
        ("predict.augment=none", lambda c: c.predict.augment == "none"),
        ("segment.thresholds=(0.1, 0.25)", lambda c: c.segment.thresholds == (0.1, 0.25)),
        ("train.init.main=a=b: ü c.pt", lambda c: c.train.init == {"main": "a=b: ü c.pt"}),
        ("dataset.test.0.synthetic.seed=9", lambda c: c.dataset.test[0].synthetic.seed == 9),
        ("predict.volumes=test", lambda c: c.predict.volumes == ("test",)),
        ("dataset.augment=none", lambda c: c.dataset.augment == ()),
        ("name=größe = 3: x", lambda c: c.name == "größe = 3: x"),
        ("name=5", lambda c: c.name == "5"),
        ("data_root=2026", lambda c: c.data_root == "2026"),
        ("dataset.train.0.name=7", lambda c: c.dataset.train[0].name == "7"),
        ("predict.volumes=synthetic_test", lambda c: c.predict.volumes == ("synthetic_test",)),
        (
            "dataset.test.0={'path': 'x.zarr', 'name': 'synthetic_test'}",
            lambda c: c.dataset.test[0].path == "x.zarr",
        ),
        (
            "dataset.test={'path': 'x.zarr'}",
            lambda c: [v.path for v in c.dataset.test] == ["x.zarr"],
        ),
        ("train.init.main=5.0", lambda c: c.train.init == {"main": "5.0"}),
        ("train.clip=5", lambda c: c.train.clip == 5),
    ],
)
def test_overrides(override, read) -> None:
    assert read(cli.load(CONFIG, [override]))


def test_wider_overrides_come_first() -> None:
    config = cli.load(CONFIG, ["variant.stages.1.heads.affs.loss.kind=bce", "variant=aclsd"])
    assert config.variant.stages[1].heads["affs"].loss.kind == "bce"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.itertions=3", "train: no field 'itertions'; did you mean 'iterations'?"),
        ("iterations=3", "did you mean 'train.iterations'?"),
        ("itertions=3", "did you mean 'train.iterations'?"),
        ("min_seed_distance=3", "did you mean 'segment.fragments.min_seed_distance'?"),
        (
            "segment.min_seed_distanc=3",
            "segment: no field 'min_seed_distanc'; did you mean 'fragments.min_seed_distance'?",
        ),
        (
            "zzzz=3",
            "no field 'zzzz'; there are: name, dataset, variant, network, train, predict, segment, "
            "locate, seeds, evaluate, error_map, runs",
        ),
        ("train.betas=(0.9, 1)", "train.betas.1: input should be less than 1, got 1"),
        (
            "train.device=cuda:x",
            "train.device: 'cuda:x' is unknown; allowed: auto, cpu, mps, cuda, cuda:0",
        ),
        (
            "train.frozen=main",
            "frozen stage 'main' has no weights; name its checkpoint in train.init",
        ),
        ("variant=acrlds", "no variant 'acrlds'; did you mean 'acrlsd'?"),
        ("variant=zzzz", "there are: aff, lr, lsd, mtlsd, aclsd, acrlsd"),
        ("train.batch_size=-2", "train.batch_size"),
        ("train", "write key=value"),
        ("dataset.train.7.weight=1", "entries 0..0"),
        (
            "segment.scoring=median",
            "segment.scoring: 'median' is unknown; allowed: mean, mean_all, hist_quant_10",
        ),
        ("segment.scoring=hist_quant_77", "segment.scoring: 'hist_quant_77' is unknown"),
        (
            "segment.block=(64, 64)",
            "segment.block: give z, y and x (of a 2D volume the last two count), got (64, 64)",
        ),
        ("segment.edge_context=(1, 2, 3, 4)", "segment.edge_context: give z, y and x"),
        ("evaluate.block=(64,)", "evaluate.block: give z, y and x"),
        ("segment.agglomeration=some", "segment.agglomeration"),
        ("predict.region=5", "region '5'"),
        ("predict.volumes=('nowhere',)", "allowed: train, validate, test, synthetic_train"),
        ("train.frozen=('main',)", "name its checkpoint in train.init"),
        ("name.x=3", "set name itself"),
        (
            "name=a/b",
            "name: a run's name is one folder name, got 'a/b'; the folder above it is set with "
            "runs=",
        ),
        ("name=..", "one folder name, got '..'"),
        (
            "name='a\\nb'",
            "name: a run's name is one folder name, got 'a\\nb'; it has the character '\\n'",
        ),
        (
            "dataset.test.0.name=../../safe/keep",
            "dataset.test.0.name: a volume's name is one file name, of its outputs; '../",
        ),
        (
            "dataset.test.0.unknown=18446744073709551616",
            "dataset.test.0.unknown: input should be less than or equal to 184467",
        ),
        (
            "segment.threshold=0.5",
            "segment: no field 'threshold'; did you mean 'thresholds' or 'fragments.threshold'?",
        ),
        (
            "train.validate_every=none",
            "train.validate_every: wants a whole number, 0 for none or never, got None",
        ),
        ("dataset.train=5", "dataset.train: wants a tuple of Volume, got 5"),
        (
            "predict.heads.0=affs",
            "predict.heads has no entries yet; set predict.heads itself, got '0'",
        ),
        (
            "predict.shape=(64, 64)",
            "predict.shape: (64, 64) has 2 axes, the network 3; give one size an axis",
        ),
        ("network=3d", "no network '3d'; there are: "),
    ],
)
def test_mistakes_are_explained(override, says) -> None:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(CONFIG, [override])
    assert says in str(error.value)


def test_all_mistakes_of_the_command_line_at_once() -> None:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(
            CONFIG,
            [
                "train.batch_size=0",
                "train.learning_rate=fast",
                "train.itertions=3",
                "segment.decoder=x",
            ],
        )
    assert len(str(error.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["train.batch_size=-2", "dataset.train.9.region=0:5"],
            ["entries 0..0, got '9'", "train.batch_size"],
        ),
        (
            ["train.batch_size=-2", "trian.foo.bar=3"],
            ["no field 'trian'; did you mean 'train'?", "train.batch_size"],
        ),
        (["train.batch_size=-2", "name.a=5"], ["set name itself", "train.batch_size"]),
        (
            ["train.batch_size=-2", "train.zz=3"],
            ["train: no field 'zz'; there are: iterations", "train.batch_size"],
        ),
        (
            ["foo", "bar", "train.clip=-1"],
            ["'foo' is no override", "'bar' is no override", "train.clip"],
        ),
        (
            ["dataset.train=5", "dataset.train.0.weight=2"],
            ["dataset.train.0.weight: there is nothing", "dataset.train: wants a tuple"],
        ),
        (["name=5", "train.clip=-1", "data_root=7"], ["train.clip"]),
    ],
)
def test_one_mistake_hides_no_other(overrides, says) -> None:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(CONFIG, overrides)
    lines = str(error.value).splitlines()
    assert len(lines) == len(says)
    assert all(any(text in line for line in lines) for text in says)


def test_overrides_that_are_right_together(tmp_path) -> None:
    config = cli.load(
        CONFIG,
        [
            "train.frozen=main",
            "train.init.main=x.pt",
            "segment.caution=0.2",
            "segment.scoring=mean_all",
        ],
    )
    assert (config.train.frozen, config.segment.caution) == (("main",), 0.2)
    config = cli.load(CONFIG, ["predict.region=0:5", "predict.region.0=(1, 2)"])
    assert config.predict.region == ((1, 2),)


def test_all_mistakes_of_a_file_at_once(tmp_path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        "from lsd.spec import Predict, Train\nconfig = (Predict(dtype='u8'), Train(itertions=1, "
        "batch_size=0))\n"
    )
    with pytest.raises(cli.ConfigError) as error:
        cli.load(path)
    text = str(error.value)
    assert "Train.batch_size" in text
    assert "did you mean 'iterations'" in text
    assert "Predict.dtype" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config = 3", "its config is 3; write"),
        ("x = 1 / 0", "line 1: ZeroDivisionError"),
        (
            "from config.datasets import DATASETS\nDATASETS['synthetc']",
            "line 2: KeyError: 'synthetc'; did you mean 'synthetic'?",
        ),
        ("{}['a']", "line 1: KeyError: 'a'"),
        ("config = (", "SyntaxError"),
        ("x = 1", "it sets no `config`; write"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, text, says) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(text)
    with pytest.raises(cli.ConfigError, match=says):
        cli.load(path)


def test_a_missing_file_says_how_to_name_one(tmp_path) -> None:
    with pytest.raises(cli.ConfigError, match="-c"):
        cli.load(tmp_path / "none.py")


def test_a_file_that_is_called_almost_so_is_suggested(tmp_path, monkeypatch) -> None:
    (tmp_path / "mine.py").touch()
    for wrong in ("mine", "mien.py", "mine.json"):
        with pytest.raises(cli.ConfigError, match=r"did you mean '.*/mine\.py'\?"):
            cli.load(tmp_path / wrong)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cli.ConfigError, match="or have one written: `lsd new NAME`"):
        cli.load()


def test_the_record_of_a_run_is_a_config_too(tmp_path) -> None:
    config = cli.load(CONFIG, ["variant=acrlsd", "dataset=fib25"])
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    assert cli.load(path) == config
    path.write_text('{"name": "x", "evil": 1}')
    with pytest.raises(cli.ConfigError, match="evil"):
        cli.load(path)


@pytest.mark.parametrize(
    "override", ["dataset=fib25", "variant=aff", "network=3d", "dataset.augment=none"]
)
def test_names_need_dictionaries(tmp_path, override) -> None:
    path = tmp_path / "config.json"
    path.write_text(cli.load(CONFIG).model_dump_json())
    bare = tmp_path / "bare.py"
    bare.write_text("from config.config import config")
    key, name = override.split("=")
    for file in (path, bare):
        with pytest.raises(cli.ConfigError) as error:
            cli.load(file, [override])
        says = (
            f"{key}: the name {name!r} is looked up in {DICTIONARIES[key]} of a .py config, "
            f"and this config holds none"
        )
        assert str(error.value).startswith(says)
        assert str(error.value).endswith(f"-c {DEFAULT_CONFIG} {override}")
    assert cli.load(path, ["dataset.augment=()"]).dataset.augment == ()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.itertions=3", "did you mean 'iterations'"),
        (
            "variant.stages.0.heads.lsds.target.sigma=(80, 80)",
            "target.sigma: (80.0, 80.0) is of 2 axes, the network of 3",
        ),
    ],
)
def test_a_wrong_config_is_refused_fast(override, says) -> None:
    """Without torch: its import alone takes longer than this sentence may."""
    begin = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "trainer.py", override],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert says in result.stderr
    assert not any(
        line.endswith(("| torch", "| gunpowder", "| zarr")) for line in result.stderr.splitlines()
    )
    assert time.monotonic() - begin < 10


def test_a_field_that_is_written_as_an_option_is_told_how_to_be_written(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        parser("", program="train").parse_intermixed_args(["--iterations", "10"])
    assert ended.value.code == 2
    assert "--iterations; fields of the config are key=value, as in train.batch_size=2" in (
        capsys.readouterr().err
    )
