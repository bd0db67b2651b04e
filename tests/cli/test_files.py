"""Config files that cannot be used: a sentence each, with the file and the field; and what lies
beside one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.config import config
from lsd import cli
from lsd.spec import Config

ROOT = Path(__file__).parents[2]


def refused(path, *overrides: str) -> str:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(path, overrides)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "holds [1, 2], wanted are the fields of a config"),
        ("3", "holds 3, wanted are"),
        ('"text"', "wanted are the fields of a config"),
        ("null", "holds None"),
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("{'name': 1}", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("{}", "name: it has no default, so give it"),
        ('{"name": NaN}', "name: wants text, got nan"),
    ],
)
def test_json_that_is_no_config(tmp_path, text, says) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    message = refused(path)
    assert says in message
    assert all(line.startswith(str(path)) and len(line) < 300 for line in message.splitlines())


def test_each_mistake_of_a_json_names_its_field(tmp_path) -> None:
    data = json.loads(config.model_dump_json())
    data["train"]["itertions"] = 3
    data["dataset"]["train"][0]["unknown"] = 2**64
    data["network"]["trunk"]["widths"] = [0]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data))
    lines = [line.removeprefix(f"{path}: ") for line in refused(path).splitlines()]
    assert lines == sorted(
        lines,
        key=lambda line: ["dataset", "network", "train"].index(line.split(".")[0].split(":")[0]),
    )
    assert lines[0].startswith("dataset.train.0.unknown: input should be less than or equal to")
    assert lines[1] == "network.trunk.widths.0: input should be greater than 0, got 0"
    assert lines[2] == "train: no field 'itertions'; did you mean 'iterations'?"


@pytest.mark.parametrize("name", ["config.json", "config.py"])
def test_files_that_cannot_be_read(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00bad")
    assert refused(path).startswith(f"{path} is no text in UTF-8")
    path.unlink()
    path.mkdir()
    assert "is a folder; name the config file in it" in refused(path)
    assert "no config file" in refused(path / "below.py")
    assert "no config file" in refused(tmp_path / "nul\0.py")
    assert "File name too long" in refused(tmp_path / f"{'n' * 300}.py")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["config.json", "config.py"])
def test_files_without_permission(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_text("")
    path.chmod(0)
    assert "Permission denied" in refused(path)


@pytest.mark.parametrize("name", ["config.json", "config.py"])
def test_files_that_the_system_refuses(tmp_path, name, monkeypatch) -> None:
    """As test_files_without_permission, for those who are root."""
    path = tmp_path / name
    path.write_text("")

    def denied(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", denied)
    assert (
        refused(path) == f"{path}: Permission denied; name a config file that can be read with -c"
    )
    monkeypatch.setattr(Path, "is_file", denied)
    assert (
        refused(path) == f"{path}: Permission denied; name a config file that can be read with -c"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise SystemExit(0)", "line 1: SystemExit"),
        ("import sys\nsys.exit('no')", "line 2: SystemExit: no"),
        ("from config.config import config\nDATASETS = 3", "DATASETS is no dictionary of names"),
        ("\0", "null bytes"),
        (
            "from config.config import config\nobject.__setattr__(config.derive(), 'name', '..')",
            None,
        ),
        (
            "from config.config import config\nconfig = "
            "config.derive()\nobject.__setattr__(config, 'name', '..')",
            "name: a run's",
        ),
        (
            "from config.config import config\nconfig = type(config).model_construct(name='x')",
            "network: it has no default",
        ),
    ],
)
def test_python_that_is_no_config(tmp_path, text, says) -> None:
    path = tmp_path / "my.py"
    path.write_text(text)
    if says is None:
        cli.load(path)
    else:
        assert says in refused(path)


def test_a_config_of_a_class_of_its_own_is_a_config(tmp_path) -> None:
    path = tmp_path / "my.py"
    path.write_text(
        "from config.config import config as base\nfrom lsd.spec import Config\nclass "
        "Mine(Config): pass\n"
        "config = Mine.model_validate(base.model_dump())\n"
    )
    assert type(cli.load(path)) is Config


def test_all_mistakes_of_derived_configs_at_once(tmp_path) -> None:
    path = tmp_path / "my.py"
    path.write_text(
        "from config.config import config as base\n"
        "longer = base.derive(train={'iterations': -5, 'iterations_typo': 1})\n"
        "wide = longer.derive(network={'trunk': {'widths': (0,)}}, name='wide')\n"
        "config = wide.derive(predict=base.predict.model_copy(update={'dtype': 'u8'}))\n"
    )
    assert refused(path).splitlines() == [
        f"{path}: train.iterations: input should be greater than or equal to 0, got -5",
        f"{path}: train: no field 'iterations_typo'; did you mean 'iterations'?",
        f"{path}: network.trunk.widths.0: input should be greater than 0, got 0",
        f"{path}: Predict.dtype: input should be 'uint8' or 'float32', got 'u8'",
    ]


def test_a_mistake_that_several_files_share_is_one_line(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "from lsd.spec import Train\ndef bad(): return Train(seed=-1)"
    )
    path = tmp_path / "my.py"
    path.write_text("from config.config import config\nfrom mine import bad\nbad(), bad()")
    assert len(refused(path).splitlines()) == 1


@pytest.mark.parametrize("suffix", ["one.py", "two.json"])
def test_the_command_line_fails_in_one_sentence(tmp_path, suffix) -> None:
    """Of a script, from another folder: no traceback, status 2."""
    path = tmp_path / suffix
    path.write_text("[]")
    done = subprocess.run(
        [sys.executable, ROOT / "trainer.py", "-c", path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(path) in done.stderr
    assert len(done.stderr.splitlines()) == 1
