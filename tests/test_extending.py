"""docs/extending.md works as it is written: each block is the file that its first line names."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from guide import blocks_of

from lsd.volumes.array import open_array

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the document, and the volume that one of them makes."""
    folder = tmp_path_factory.mktemp("extending")
    for block in blocks_of("extending"):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name, block
        (folder / name[1]).write_text(block)
    ran(folder, "make_volume.py")
    return folder


def ran(folder: Path, *words: str) -> str:
    command = [sys.executable, *words]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_chain_of_kinds_of_ones_own(folder) -> None:
    for command in ("train", "predict", "segment", "evaluate"):
        said = ran(folder, "-m", "lsd", command, "-c", "my_config.py")
    assert "impurity" in said
    segmented = folder / "runs" / "mine" / "segmentation" / "neuropil_validate.zarr"
    inside = open_array(segmented, "segmentation/inside")
    assert inside.read(inside.roi).max() > 0
    ran(folder, "-m", "lsd", "export", "runs/mine", "npy")
    exported = np.load(folder / "runs/mine/export/neuropil_validate/segmentation_inside.npy")
    assert (exported == inside.read(inside.roi)).all()
    decoder = '{"kind": "watershed"}'
    ran(folder, "-m", "lsd", "segment", "-c", "my_config.py", f"segment.decoder={decoder}")
    joined = open_array(segmented, "segmentation/0.5")
    assert joined.read(joined.roi).max() > 0


def test_a_made_up_volume_of_ones_own(folder) -> None:
    lines = (
        "from my_volume import Layers",
        "from pathlib import Path",
        "from lsd.spec import Volume",
        "from lsd.volumes.volume import open_volume",
        "made = Layers(shape=(10, 16, 20), thick=4)",
        "volume = Volume(synthetic=made, labels='volumes/labels/layers')",
        "assert Volume.model_validate_json(volume.model_dump_json()) == volume",
        "opened = open_volume(volume, name='layers', data_root=Path())",
        "labels = opened.read_labels(opened.roi)",
        "assert labels[:, 0, 0].tolist() == [1] * 4 + [2] * 4 + [3] * 2",
        "assert opened.raw.read(opened.roi)[4:8].min() >= 140",
    )
    ran(folder, "-c", "; ".join(lines))


def test_every_family_is_in_it() -> None:
    from lsd.spec import kinds

    text = (ROOT / "docs" / "extending.md").read_text()
    ours = [family for family in kinds._families if family.__module__.startswith("lsd.")]
    assert len(ours) == 15
    for family in ours:
        assert f"`{family.__name__}`" in text
