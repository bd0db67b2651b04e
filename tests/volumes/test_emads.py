"""The example of EMADS on a tree of files as its programs open them."""

from pathlib import Path

import numpy as np
import pytest
from format_writers import nifti

from lsd.cli import load
from lsd.spec.paths import data_root, run_folder
from lsd.volumes.find import expand
from lsd.volumes.volume import open_volume

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
RNG = np.random.default_rng(0)


def block(folder, name, shape, labels) -> None:
    """A block as SimpleITK writes it: 1 mm, since nobody told it a size."""
    (folder / name).mkdir(parents=True)
    raw = RNG.integers(0, 255, shape).astype(np.uint8)
    nifti(folder / name / f"{name}_raw.nii.gz", raw, sizes=(1, 1, 1), unit=2)
    nifti(folder / name / f"{name}_mask.nii.gz", labels.astype("u2"), sizes=(1, 1, 1), unit=2)


@pytest.fixture
def root(tmp_path) -> Path:
    emads = tmp_path / "emads"
    for part, count in (("train", 3), ("validation", 2)):
        for number in range(count):
            folder = emads / "patches" / part / f"{number:03}"
            folder.mkdir(parents=True)
            label = np.zeros((12, 30, 31), np.uint8)
            label[3:9, 5:20, 6:21] = 255
            data = RNG.integers(0, 255, label.shape).astype(np.uint8)
            nifti(folder / "data.nii.gz", data, sizes=(1, 1, 1), unit=2)
            nifti(folder / "label.nii.gz", label, sizes=(1, 1, 1), unit=2)
    labels = np.zeros((12, 20, 24), int)
    labels[2:8, :8, :8], labels[:, 12:, 12:] = 1, 255
    block(emads / "coarse", "z-1000_y-15328_x-42084_1", labels.shape, labels)
    block(emads / "coarse", "z-1000_y-15328_x-43820_0", labels.shape, 0 * labels)
    somata = np.zeros((24, 40, 44), int)
    somata[:12, :20, :20], somata[12:, 20:, 24:] = 7, 300
    block(emads / "blocks", "z-2000_y-1_x-2_1", somata.shape, somata)
    return tmp_path


def opened(config) -> dict:
    config = expand(config)
    volumes = config.dataset.volumes()
    return {
        name: open_volume(volume, name=name, data_root=data_root(config))
        for name, volume in volumes.items()
    }


def test_the_fine_example_reads_patches_and_blocks(root) -> None:
    volumes = opened(load(EXAMPLES / "emads.py", [f"data_root={root}"]))
    assert len(volumes) == 6
    assert {volume.voxel_size for volume in volumes.values()} == {(40, 16, 16)}
    patches = [volume for name, volume in volumes.items() if name.startswith("train")]
    assert len(patches) == 3
    for patch in patches:
        assert patch.roi.shape == (12, 30, 31)
        assert set(np.unique(patch.read_labels(patch.roi))) == {0, 255}
    [whole] = [volume for name, volume in volumes.items() if name.startswith("block")]
    assert set(np.unique(whole.read_labels(whole.roi))) == {0, 7, 300}


def test_the_coarse_example_reads_both_at_one_scale(root) -> None:
    config = load(EXAMPLES / "emads_coarse.py", [f"data_root={root}"])
    volumes = opened(config)
    assert {volume.voxel_size for volume in volumes.values()} == {(240, 64, 64)}
    of_one = [volume for name, volume in volumes.items() if name.endswith("42084_1")]
    [annotated] = of_one
    assert annotated.roi.shape == (6, 20, 24)
    truth, known = annotated.read_truth(annotated.roi)
    assert (truth[1:4, :8, :8] == 1).all()
    assert not known[:, 12:, 12:].any()
    assert known[:, :12].all()
    [block] = [volume for name, volume in volumes.items() if name.startswith("block")]
    assert block.roi.shape == (4, 10, 11)
    assert set(np.unique(block.read_labels(block.roi))) == {0, 7, 300}


def test_both_examples_fit_together() -> None:
    fine, coarse = (load(EXAMPLES / f"{name}.py", []) for name in ("emads", "emads_coarse"))
    assert fine.seeds.locator == str(run_folder(coarse))
    # both call the same volumes the same, so the locator finds them
    assert set(fine.dataset.part("test")) == set(coarse.dataset.part("test"))
