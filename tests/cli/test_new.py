"""`lsd new`: a folder to begin with, and nothing is written over."""

from pathlib import Path

import pytest

from lsd import cli
from lsd.cli import program

ROOT = Path(__file__).parents[2]


def new(folder, *, status: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        program.main(["new", str(folder)])
    assert end.value.code == status


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_new_or_empty(tmp_path, monkeypatch, there) -> None:
    folder = tmp_path / "deep" / "mine"
    if there:
        folder.mkdir(parents=True)
    new(folder)
    assert [path.name for path in folder.iterdir()] == ["config"]
    assert not list(folder.rglob("__pycache__"))
    monkeypatch.chdir(folder)
    config = cli.load()
    assert config == cli.load(ROOT / "config" / "config.py")
    # it is the folder's own that is read
    networks = folder / "config" / "networks.py"
    networks.write_text(
        networks.read_text().replace("widths=(24, 48, 64, 96)", "widths=(1, 2, 3, 4)")
    )
    assert cli.load().network.trunk.widths == (1, 2, 3, 4)
    assert cli.load(overrides=["network=small2d"]).network.dims == 2


@pytest.mark.parametrize("name", ["file", "hidden", "itself"])
def test_a_folder_that_is_not_empty_is_refused(tmp_path, capsys, name) -> None:
    folder = tmp_path / "mine"
    if name == "itself":
        folder.write_text("a file")
    else:
        folder.mkdir()
        (folder / (".git" if name == "hidden" else "thesis.tex")).write_text("years")
    new(folder, status=1)
    assert capsys.readouterr().err == (
        f"error: {folder} is not empty; name a new folder, or an empty one\n"
    )
    assert [path for path in tmp_path.rglob("*") if path.name == "config"] == []
