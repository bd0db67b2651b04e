"""~ and $NAME mean what they mean in a shell, wherever a config holds a path."""

import getpass
import os
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi

from config.config import config
from lsd import cli
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import checkpoint_path
from lsd.spec import Dataset, Volume
from lsd.spec.paths import data_root, run_folder
from lsd.spec.user_paths import expanded
from lsd.training.warm_start import initial_checkpoints
from lsd.volumes.create import create_array
from lsd.volumes.find import expand
from lsd.volumes.volume import open_volume


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder, the same as $PLACE, which is not where the test runs."""
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLACE", str(tmp_path / "home"))
    monkeypatch.setenv("PART", "one")
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


WRITTEN = ["~/a", "$PLACE/a", "${PLACE}/a"]


@pytest.mark.parametrize("path", WRITTEN)
def test_folders_of_a_config(path, home, monkeypatch) -> None:
    made = config.derive(data_root=path, runs=path)
    assert data_root(made) == home / "a"
    assert run_folder(made) == home / "a" / config.name
    monkeypatch.setenv("LSD_DATA", path)
    assert data_root(config) == home / "a"
    assert not list(Path.cwd().iterdir())


def write(container) -> None:
    roi = Roi((0, 0, 0), (2, 2, 2))
    for name in ("raw", "ids"):
        array = create_array(container, name, roi=roi, voxel_size=(8, 8, 8), dtype="u1")
        array.write(np.full((2, 2, 2), 7, np.uint8), roi)


@pytest.mark.parametrize("path", [*WRITTEN, "~/$PART"])
def test_volumes(path, home) -> None:
    for name in ("a", "one", "labels"):
        write(home / f"{name}.zarr")
    spec = Volume(
        path=f"{path}.zarr", raw="raw", labels=f"{path.rpartition('/')[0]}/labels.zarr:ids"
    )
    volume = open_volume(spec, name="v", data_root=home / "nowhere")
    assert volume.raw.read(volume.roi, beyond="zero").min() == 7
    assert volume.labels.source.path == home / "labels.zarr"
    given = config.derive(
        dataset=Dataset(train=Volume(path=f"{path.rpartition('/')[0]}/*.zarr", raw="raw")),
        predict={"volumes": "train"},
    )
    assert list(expand(given).dataset.volumes()) == ["a_train", "labels_train", "one_train"]
    # outputs are named after the file, not after what it is called by
    stem = {"~/$PART": "one"}.get(path, "a")
    assert list(Dataset(train=spec).volumes()) == [f"{stem}_train"]


@pytest.mark.parametrize("path", WRITTEN)
def test_checkpoints(path, home) -> None:
    (home / "a").write_bytes(b"x")
    assert checkpoint_path(path, config) == home / "a"
    stage = config.variant.stages[0]
    made = config.derive(train={"init": {stage.name: path}}, data_root=str(home))
    assert initial_checkpoints(made, stage) == {stage.name: home / "a"}
    with pytest.raises(ValueError, match=r"damaged|no checkpoint|cannot be read|not a"):
        checkpoint.load(checkpoint_path(path, config))


@pytest.mark.parametrize("path", WRITTEN)
def test_config_files(path, home) -> None:
    (home / "a").write_text("from config.config import config")
    assert cli.load(path) == config


def test_what_names_nothing_is_a_file_or_a_mistake(tmp_path) -> None:
    for name in ("a$UNSET.zarr", "~no_such_user_here", "a$", "$5", "~"):
        (tmp_path / name).mkdir()
    assert expanded("a$UNSET.zarr", root=tmp_path) == tmp_path / "a$UNSET.zarr"
    assert expanded("~no_such_user_here", root=tmp_path) == tmp_path / "~no_such_user_here"
    assert expanded("$5", root=tmp_path) == tmp_path / "$5"
    assert expanded("a$", root=tmp_path) == tmp_path / "a$"
    # the folder called ~ is what earlier versions made of it
    assert expanded("~", root=tmp_path) == Path.home()
    assert expanded(f"~{getpass.getuser()}") == Path(os.path.expanduser(f"~{getpass.getuser()}"))
    for path, says in (
        ("$UNSET/x", r"no variable \$UNSET"),
        ("x/${UNSET}", r"\$\{UNSET\}"),
        ("~no_such_user/x", "no_such_user"),
    ):
        with pytest.raises(ValueError, match=says):
            expanded(path, root=tmp_path)
    for made in (config.derive(runs="$UNSET/runs"), config.derive(data_root="$UNSET")):
        with pytest.raises(ValueError, match="there is no variable"):
            run_folder(made), data_root(made)


def test_a_config_of_another_machine_is_read_without_its_variables() -> None:
    """A checkpoint holds one; it is predicted with where the variables of training are not set."""
    made = config.derive(
        dataset=Dataset(train=Volume(path="$UNSET/a.zarr")),
        predict={"volumes": "train"},
        runs="$UNSET",
    )
    assert type(made).model_validate_json(made.model_dump_json()) == made
