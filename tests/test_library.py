"""docs/library.md is a notebook: its blocks run one after another, in a checkout."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest
from guide import DOCS, blocks_of

import lsd

ROOT = Path(__file__).parents[1]
BLOCKS = blocks_of("library")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch, capsys) -> None:
    """As it is written, from top to bottom; what it writes lies in the working folder."""
    (tmp_path / "pretrained").symlink_to(ROOT / "pretrained")
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/library.md", "exec"), names)
    said = capsys.readouterr().out
    assert "(40, 80, 80) uint8, voxels of 10 x 10 x 10 nm, labels" in said
    assert "trained on voxels of 10 x 10 x 10 nm" in said
    assert "raw is uint16; only uint8 is known to mean 0..255" in said
    assert (tmp_path / "section.png").stat().st_size > 1000


def test_it_names_all_that_there_is() -> None:
    text = (DOCS / "library.md").read_text()
    for name in lsd.__all__:
        assert f"lsd.{name}" in text, name
    for link in re.findall(r"\(#([\w-]+)\)", text):
        assert re.search(rf"^## {link.replace('-', ' ')}$", text, re.MULTILINE | re.IGNORECASE), (
            link
        )
