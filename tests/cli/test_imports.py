"""Kinds of one's own that lie beside a config: found by every command and every process, from any
folder; a record of the run is data, and imports them where a person names it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# what does its work lies in a module that nothing imports until then
KINDS = """
from typing import ClassVar, Literal
from lsd.spec import Affinities

class Mine(Affinities):
    \"\"\"As affinities, by another name.

    note: of no effect
    \"\"\"

    kind: Literal["mine"] = "mine"
    note: str = "none"
"""
CONFIG = """
from my_kinds import Mine
from lsd.spec import (
    Config, Dataset, Head, Network, Predict, ResidualUNet, Segment, Stage, Synthetic, Train,
    Variant, Volume,
)

def volume(seed):
    return Volume(synthetic=Synthetic(seed=seed, shape=(24, 32, 32)),
                  labels="volumes/labels/neuron_ids")

config = Config(
    imports=("my_kinds",),
    name="own",
    dataset=Dataset(train=volume(1), validate=volume(2), test=volume(3)),
    variant=Variant(stages=Stage(heads={"affs": Head(target=Mine(note="a"))})),
    network=Network(
        trunk=ResidualUNet(widths=(4, 8), factors=((2, 2, 2),), context=(4, 4, 4)),
        train_shape=(16, 16, 16),
    ),
    train=Train(iterations=2, workers=1, threads=1, device="cpu"),
    predict=Predict(threads=1, device="cpu"),
    segment=Segment(thresholds=(0.3, 0.6)),
)
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "my_kinds.py").write_text(KINDS)
    (tmp_path / "project" / "config.py").write_text(CONFIG)
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def run(*words: str, cwd: Path, path: Path | None = None, status: int = 0) -> str:
    search = os.pathsep.join(str(p) for p in (ROOT, path) if p)
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def lsd(*words: str, **options) -> str:
    return run("-m", "lsd", *words, **options)


@pytest.mark.slow
def test_every_command_from_any_folder(folder) -> None:
    """With a process that makes batches, and one that does blocks; then with the run's record."""
    elsewhere, project = folder / "elsewhere", folder / "project"
    places = (f"runs={folder}/runs", f"data_root={folder}/data")
    words = ("-c", "../project/config.py", *places)
    lsd("train", *words, cwd=elsewhere)
    lsd("predict", *words, "--workers", "1", cwd=elsewhere)
    lsd("segment", *words, "--workers", "1", cwd=elsewhere)
    assert "VOI sum" in lsd("evaluate", *words, cwd=elsewhere)
    # beside the kinds, or with the folder on the path, the record does as well
    record = str(folder / "runs" / "own" / "config.json")
    lsd("train", "-c", record, "train.iterations=3", cwd=project)
    lsd("predict", "-c", record, "train.iterations=3", "name=b", "predict.checkpoint="
        f"{folder}/runs/own/main/checkpoints/best.pt", "--workers", "1", cwd=project)  # fmt: skip
    run(str(ROOT / "segment.py"), "-c", record, "name=b", cwd=elsewhere, path=project)
    said = lsd("segment", "-c", record, cwd=elsewhere, status=2)
    assert "there is no module 'my_kinds'; start in the folder that holds my_kinds.py" in said
    # a checkpoint imports nothing by itself
    load = f"import lsd; print(lsd.load({str(folder / 'runs/own/main/checkpoints/best.pt')!r}{{}}))"
    said = run("-c", load.format(""), cwd=elsewhere, path=project, status=1)
    assert "imports='my_kinds'" in said.splitlines()[-1]
    assert "Network('own', 3D, heads affs" in run(
        "-c", load.format(", imports='my_kinds'"), cwd=elsewhere, path=project
    )


@pytest.mark.slow
def test_they_are_named_on_the_command_line(folder) -> None:
    """For a config that does not name them, and a checkpoint that needs them."""
    project = folder / "project"
    (project / "plain.py").write_text(
        "from config.config import config as base\nconfig = base.derive(name='plain')\n"
    )
    words = ("train", "-c", str(project / "plain.py"), "--print-config")
    # the package config is that of the checkout: a file config.py does not hide it
    assert json.loads(lsd(*words, cwd=folder))["imports"] == []
    for name in ("my_kinds", "('my_kinds',)"):
        said = lsd(*words, f"imports={name}", cwd=folder)
        assert json.loads(said)["imports"] == ["my_kinds"]
    head = "variant.stages.0.heads.affs.target={'kind': 'mine'}"
    assert '"kind": "mine"' in lsd(*words, "imports=my_kinds", head, cwd=folder)
    said = lsd(*words, head, cwd=folder, status=2)
    assert "target: 'mine' is unknown; allowed: affinities" in said
    said = lsd(*words, "imports=my_kindz", cwd=folder, status=2)
    assert "there is no module 'my_kindz'" in said


def test_what_does_the_work_may_be_imported_late(folder) -> None:
    """From the same folder, by this process as by others."""
    project = folder / "project"
    (project / "my_work.py").write_text(
        "class Work:\n    def __init__(self, spec): self.spec = spec\n"
    )
    (project / "my_kinds.py").write_text(KINDS + "    behaviour: ClassVar[str] = 'my_work:Work'\n")
    script = (
        "from lsd import cli\nfrom lsd.spec.kinds import behaviour\n"
        "config = cli.load('project/config.py')\n"
        "print(behaviour(config.variant.heads()['affs'].target).spec.note)\n"
        # again, in one process
        "print(cli.load('project/config.py') == config)"
    )
    assert run("-c", script, cwd=folder) == "a\nTrue\n"


def test_what_a_module_of_kinds_imports_stays(folder) -> None:
    """A helper beside it is one module for all, or what it defines could not be sent to others."""
    project = folder / "project"
    (project / "my_helper.py").write_text("class Helper:\n    pass\n")
    (project / "my_kinds.py").write_text("import my_helper\n" + KINDS)
    script = (
        "import pickle\nfrom lsd import cli\n"
        "cli.load('project/config.py')\ncli.load('project/config.py')\n"
        "import my_kinds, my_helper\nassert my_kinds.my_helper is my_helper\n"
        "pickle.dumps(my_kinds.my_helper.Helper())\nprint('one')"
    )
    assert run("-c", script, cwd=folder) == "one\n"


def test_a_kind_that_nobody_named_is_refused(folder) -> None:
    config = folder / "project" / "config.py"
    config.write_text(CONFIG.replace('    imports=("my_kinds",),\n', ""))
    said = lsd("train", "-c", str(config), cwd=folder, status=2)
    assert (
        "kind 'mine' is defined in module 'my_kinds'; name it, as in imports=('my_kinds',)" in said
    )


def test_two_modules_of_one_name_are_no_kinds_of_one_process(folder) -> None:
    """Which one a spec is of could not be told."""
    other = folder / "other"
    other.mkdir()
    (other / "my_kinds.py").write_text(KINDS)
    (other / "config.py").write_text(CONFIG)
    script = (
        "from lsd import cli\ncli.load('project/config.py')\n"
        "try: cli.load('other/config.py')\nexcept cli.ConfigError as error: print(error)"
    )
    said = run("-c", script, cwd=folder)
    assert "module 'my_kinds' was imported from" in said
    assert str(folder / "project") in said
