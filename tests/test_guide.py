"""The guide's Python works as it is written."""

import importlib
import re
from pathlib import Path

import pytest

from lsd.spec import Boundary
from lsd.volumes.volume import open_volume

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
WRITES = next(block for block in BLOCKS if "zarr.open_group" in block)


def run(block: str) -> dict:
    """The names after a block; one that begins with "# in config/x.py" is run as if it stood at the end of that file."""
    place = re.match(r"# in (config)/(\w+)\.py", block)
    names = vars(importlib.import_module(".".join(place.groups()))) if place else {}
    names = {name: dict(value) if isinstance(value, dict) else value for name, value in names.items()}
    exec(block, names)
    return names


@pytest.mark.parametrize("block", [block for block in BLOCKS if block != WRITES])
def test_runs(block) -> None:
    run(block)


def test_a_zarr_of_ones_own_is_a_volume(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(WRITES)
    dataset = next(run(block)["DATASETS"]["mine"] for block in BLOCKS if 'DATASETS["mine"]' in block)
    for name, spec in dataset.volumes().items():
        volume = open_volume(spec, name=name, data_root=tmp_path / "data")
        assert (volume.voxel_size, tuple(volume.raw.offset)) == ((8, 8, 8), (0, 0, 0))
        assert volume.read_known(volume.roi).all()


def test_the_first_head_of_ones_own_is_a_boundary_and_nothing_else() -> None:
    block = next(block for block in BLOCKS if re.search(r"^VARIANTS\[", block, re.MULTILINE))
    names = run(block)
    (added,) = set(names["VARIANTS"]) - set(importlib.import_module("config.variants").VARIANTS)
    mtlsd, mine = names["VARIANTS"]["mtlsd"].heads(), names["VARIANTS"][added].heads()
    assert mine.pop("boundary").target == Boundary()
    assert mine == mtlsd
