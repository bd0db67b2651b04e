"""docs/library.md is a notebook: its blocks run one after another, in a checkout."""

import re
import tempfile
from pathlib import Path

import matplotlib as mpl
import pytest
from guide import DOCS, blocks_of

import lsd

ROOT = Path(__file__).parents[1]
BLOCKS = blocks_of("library")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch, capsys) -> None:
    """As it is written, from top to bottom; it leaves nothing in the folder of the checkout."""
    checkout, temporary = tmp_path / "checkout", tmp_path / "temporary"
    checkout.mkdir()
    temporary.mkdir()
    (checkout / "pretrained").symlink_to(ROOT / "pretrained")
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    mpl.use("Agg")
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/library.md", "exec"), names)
    said = capsys.readouterr().out
    assert "(40, 80, 80) uint8, voxels of 10 x 10 x 10 nm, labels" in said
    assert "trained on voxels of 10 x 10 x 10 nm" in said
    assert "raw is uint16; only uint8 is known to mean 0..255" in said
    assert "segment has no argument 'treshold'; did you mean 'threshold'?" in said
    assert [path.stat().st_size > 1000 for path in temporary.glob("*/section.png")] == [True]
    assert [path.name for path in checkout.iterdir()] == ["pretrained"]


def test_it_names_all_that_there_is() -> None:
    text = (DOCS / "library.md").read_text()
    for name in lsd.__all__:
        assert f"lsd.{name}" in text, name
    for link in re.findall(r"\(#([\w-]+)\)", text):
        assert re.search(rf"^## {link.replace('-', ' ')}$", text, re.MULTILINE | re.IGNORECASE), (
            link
        )
