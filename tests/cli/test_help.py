"""--help says what every field of a config means, and its default; --print-config and --dry-run
change nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lsd import cli, spec
from lsd.cli import program
from lsd.cli.fields import meanings, sections
from lsd.cli.help import listed
from lsd.spec import AroundObjects, Config, Decoder, Scoring
from lsd.spec.mistakes import ConfigError

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "config.py"
# without kinds of tests that were collected before
FIELDS = [
    pytest.param(section, name, id=f"{section.spec.__name__}.{name}")
    for section in sections()
    for name in section.spec.model_fields
    if section.spec.__module__.startswith("lsd.") and not (section.kind and name == "kind")
]
COMMANDS = ("train", "predict", "segment", "locate", "evaluate")


def said(capsys, *words: str, status: int = 0) -> str:
    with pytest.raises(SystemExit) as end:
        program.main(list(words))
    out, err = capsys.readouterr()
    assert end.value.code == status, err
    return out + err


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_field_has_a_meaning(section, name) -> None:
    """A line of the docstring of its spec."""
    assert len(meanings(section.spec)[name]) > 8


def test_every_spec_is_a_section() -> None:
    """All that a config can hold; each family by its kinds."""
    there = {section.spec for section in sections()}
    families = (
        spec.Target,
        spec.Loss,
        spec.Trunk,
        spec.Augmentation,
        spec.Decoder,
        spec.Scoring,
        spec.Kernel,
        spec.Synthetic,
    )
    assert {kind for family in families for kind in family.kinds().values()} <= there
    alone = (
        Config, spec.Dataset, spec.Volume, spec.Sharpen, spec.Variant, spec.Stage,
        spec.Head, spec.Network, spec.Train, spec.Schedule, spec.Predict, spec.Segment,
        spec.Fragments, spec.Mutex, spec.Locate, spec.Evaluate, spec.Workers,
    )  # fmt: skip
    assert {*alone} <= there
    keys = {key for section in sections() for key in section.keys}
    assert {"train.schedule", "dataset.test.N.synthetic", "variant.stages.N.heads.NAME.loss"} < keys


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_every_field(capsys, command) -> None:
    text = said(capsys, command, "--help")
    assert text.startswith(f"usage: lsd {command} ")
    for section in sections():
        for field in section.fields:
            assert re.search(rf"^  {field.name}(=| |$)", text, re.MULTILINE), field.name
            assert " ".join(field.meaning.split()[:2]) in text
    for words in ("--dry-run", "--print-config", "iterations=400000", "dtype=uint8"):
        assert words in text
    # what the command is about comes first, after the config itself
    assert text.index(f"\n{command}: ") < text.index("\nvariant.stages.N")


@pytest.mark.parametrize("columns", [70, 80, 110, 300])
def test_lines_fit_the_terminal(monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = listed().splitlines()
    assert max(map(len, lines)) <= min(columns, 110)
    assert sum(len(line) > 40 for line in lines) > 100


def test_help_of_one_section(capsys) -> None:
    text = said(capsys, "train", "--help", "dataset.train")
    assert "dataset.train.N" in text
    assert "raw_range=none" in text
    assert "iterations" not in text
    text = said(capsys, "train", "--help", "tran", status=2)
    assert "no part of a config is called 'tran'; did you mean 'train'?" in text


def test_help_lists_kinds_of_modules_that_the_config_names(capsys, tmp_path) -> None:
    (tmp_path / "kinds_of_help.py").write_text(
        "from typing import ClassVar, Literal\n"
        "from lsd.spec import Decoder\n"
        "class Helped(Decoder):\n"
        '    """Pieces."""\n'
        '    kind: Literal["helped"] = "helped"\n'
        '    behaviour: ClassVar[str] = "kinds_of_help:Work"\n'
    )
    file = tmp_path / "mine.py"
    file.write_text(
        "from config.config import config as base\n"
        "config = base.derive(imports=('kinds_of_help',))\n"
    )
    words = [sys.executable, "-m", "lsd", "segment", "-c", str(file), "--help", "segment.decoder"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "segment.decoder (kind=helped): Pieces." in shown
    assert "kind=helped" not in said(capsys, "segment", "--help", "segment.decoder")
    text = said(capsys, "segment", "-c", "nothing.py", "--help", status=2)
    assert "no config file 'nothing.py'" in text


def test_defaults_are_what_a_command_line_reads() -> None:
    """Each, set to what the help shows, is what it was."""
    config = cli.load(CONFIG)
    for section in sections():
        [key, *_] = section.keys
        if key in ("", "variant", "network") or "N" in key or section.kind:
            continue
        for field in section.fields:
            # a tuple of numbers is shown as they are typed
            if field.default and "..." not in field.default:
                changed = cli.load(CONFIG, [f"{key}.{field.name}={field.default}"])
                node, default = changed, section.spec.model_fields[field.name].default
                for part in key.split("."):
                    node = getattr(node, part)
                assert getattr(node, field.name) == default, (key, field.name)
    assert cli.load(CONFIG) == config


def test_fields_that_hold_a_kind_show_which(capsys) -> None:
    """By the name that the command line takes, where one is meant without."""
    shown = {
        "segment": ("decoder=watershed", "scoring=mean"),
        "evaluate": ("metric=voi",),
        "train": ("mode=plain",),
        "variant": ("weighting=fixed", "loss=mse", "kernel=box"),
    }
    for section, lines in shown.items():
        text = said(capsys, "train", "--help", section)
        for line in lines:
            assert re.search(rf"^  {line}( |$)", text, re.MULTILINE), line
    # one that has to be given, and sections, whose own fields have the defaults
    [target] = [field for field in _fields_of(spec.Head) if field.name == "target"]
    assert (target.default, target.required) == ("", True)
    [fragments] = [field for field in _fields_of(spec.Segment) if field.name == "fragments"]
    assert fragments.default == ""


def _fields_of(one):
    return next(section.fields for section in sections() if section.spec is one)


def test_a_default_that_takes_more_than_a_name_is_shown_with_its_fields() -> None:
    class Held(spec.Spec):
        """Two.

        scoring: of edges; decoder: of them
        """

        scoring: Scoring = spec.Quantile(quantile=75)
        decoder: Decoder = spec.Doubting(head="shapes")

    own = {field.name: field.default for field in sections(Held)[0].fields}
    assert own["scoring"] == "hist_quant_75"
    assert json.loads(own["decoder"]) == {"kind": "doubting", "head": "shapes"}


def test_print_config_is_read_by_c(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = said(capsys, "train", "-c", str(CONFIG), "variant=acrlsd", "--print-config", "name=mine")
    (tmp_path / "printed.json").write_text(text)
    config = cli.load(tmp_path / "printed.json")
    assert config == cli.load(CONFIG, ["variant=acrlsd", "name=mine"])
    assert json.loads(text)["name"] == "mine"
    assert os.listdir(tmp_path) == ["printed.json"]


def test_the_program(capsys) -> None:
    text = said(capsys, "--help")
    assert all(f"lsd {name}" in text for name in (*COMMANDS, "blocks", "new"))
    assert said(capsys, "--version").startswith("lsd ")
    assert "did you mean 'predict'" in said(capsys, "predct", status=2)
    assert "usage: lsd" in said(capsys, status=2)
    assert "wants a number of processes" in said(capsys, "predict", "--workers", "x", status=2)


def test_the_default_config(tmp_path, monkeypatch) -> None:
    """config/config.py of the working folder, else its config.py."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cli.ConfigError, match=r"no config file 'config/config\.py'"):
        cli.load()
    text = "from config.config import config as base\nconfig = base.derive(name={!r})\n"
    (tmp_path / "config.py").write_text(text.format("one"))
    assert cli.load().name == "one"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.py").write_text(text.format("two"))
    assert cli.load().name == "two"


def test_overrides_may_stand_anywhere(capsys, monkeypatch) -> None:
    words = ["train", "name=a", "-c", str(CONFIG), "train.seed=3", "--print-config", "runs=b"]
    data = json.loads(said(capsys, *words))
    assert (data["name"], data["train"]["seed"], data["runs"]) == ("a", 3, "b")


def test_workers_are_those_of_the_command(capsys) -> None:
    for command in ("predict", "segment", "evaluate"):
        words = [command, "-c", str(CONFIG), "--workers", "5", "--print-config"]
        assert json.loads(said(capsys, *words))[command]["workers"]["count"] == 5
    assert isinstance(cli.load(CONFIG), Config)


def test_a_field_of_a_spec_that_is_not_set_sets_it() -> None:
    config = cli.load(CONFIG, ["train.sampling.jitter=0.1", "train.sampling.min_size=5"])
    assert config.train.sampling == AroundObjects(jitter=0.1, min_size=5)
    assert cli.load(CONFIG).train.sampling is None
    with pytest.raises(ConfigError, match=r"train\.sampling: no field 'jiter'; did you mean"):
        cli.load(CONFIG, ["train.sampling.jiter=0.1"])
