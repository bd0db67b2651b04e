"""Volumes to be scored that hold voxels of training are found, and no others."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from small_volume import save

from lsd.spec import Dataset, Images, Split, Volume
from lsd.volumes.trained_on import trained_on

ROOT = Path("data")
WHOLE = Volume(path="cube.h5", raw="em", labels="seg")


def named(*, train: Volume = WHOLE, test: Volume, root: Path = ROOT) -> list[str]:
    return [name for name, _ in trained_on(Dataset(train=train, test=test), data_root=root)]


@pytest.mark.parametrize(
    ("train", "test", "meet"),
    [
        ("100:128", "128:148", False),
        ("100:128", "127:148", True),
        ("100:128", "", True),
        ("", "", True),
        (":128", "128:", False),
        (":128, :, 0:10", "120:, :, 10:20", False),
        (":128, :, 0:11", "120:, :, 10:20", True),
        (":, :50", "3:4", True),
    ],
)
def test_regions_that_meet_are_told(train, test, meet) -> None:
    found = named(train=WHOLE.derive(region=train), test=WHOLE.derive(region=test))
    assert found == (["cube_test"] if meet else [])


def test_what_is_said_names_both_and_a_way_out() -> None:
    dataset = Dataset(train=WHOLE, validate=WHOLE.derive(name="mine"))
    ((_, said),) = trained_on(dataset, data_root=ROOT)
    assert said == (
        "volume 'mine' of validate holds voxels of 'cube_train', which is trained on, so its "
        "scores are too good; validate with another volume or region"
    )


def test_other_raw_is_not_trained_on_and_what_has_no_truth_is_not_scored() -> None:
    assert named(test=WHOLE.derive(path="other.h5")) == []
    assert named(test=WHOLE.derive(raw="em2")) == []
    assert named(test=WHOLE.derive(labels=None)) == []
    assert named(test=WHOLE.derive(labels="mitochondria")) == ["cube_test"]


def test_one_file_by_two_paths_is_one(tmp_path) -> None:
    (tmp_path / "cube.h5").touch()
    (tmp_path / "link.h5").symlink_to("cube.h5")
    for path in ("./cube.h5", str(tmp_path / "cube.h5"), "link.h5"):
        dataset = Dataset(train=WHOLE, test=WHOLE.derive(path=path, name="mine"))
        assert [name for name, _ in trained_on(dataset, data_root=tmp_path)] == ["mine"]


@pytest.mark.parametrize(
    ("train", "test", "region", "meet"),
    [
        ({}, {}, "", True),
        ({}, {"part": "test"}, "", True),
        ({"part": "train"}, {"part": "test"}, "", False),
        ({}, {"images": "em/b?.tiff", "file": "few.csv"}, "", True),
        ({"part": "train"}, {"images": "em/b?.tiff", "file": "few.csv"}, "", True),
        ({"part": "test"}, {}, ":3, :, :", False),
        ({"part": "train"}, {}, ":3, :, :", True),
        ({"images": "em/a?.tiff", "file": "a.csv"}, {"images": "em/b?.tiff", "file": "few.csv"},
         "", False),
        ({}, {}, ":, 0:4, :", True),
    ],
)  # fmt: skip
def test_images_that_both_lists_hold_are_told(tmp_path, train, test, region, meet) -> None:
    (tmp_path / "em").mkdir()
    for name in ("a1", "a2", "a3", "b1", "b2", "b3"):
        tifffile.imwrite(tmp_path / f"em/{name}.tiff", np.zeros((8, 8), np.uint8))
    split = Split(fractions=(0.5, 0, 0.5))
    images = Images(images="em/*.tiff", file="all.csv", split=split)
    ours, theirs = (
        Volume(images=images.derive(**change), labels="x.zarr:seg", name=name)
        for change, name in ((train, "ours"), (test, "theirs"))
    )
    found = named(train=ours, test=theirs.derive(region=region), root=tmp_path)
    assert found == (["theirs"] if meet else [])


@pytest.mark.parametrize(("begin", "scale", "meet"), [(4, None, False), (3, None, True),
                                                      (4, (2, 1, 1), False)])  # fmt: skip
def test_labels_of_two_parts_of_raw_are_two_regions(tmp_path, begin, scale, meet) -> None:
    part = np.ones((4, 10, 12), np.uint64)
    begins = {"raw": (2, 0, 0), "ours": (2, 0, 0), "theirs": (2 + begin, 0, 0)}
    raw = np.ones((8, 10, 12), np.uint8)
    save(tmp_path, raw=raw, ours=part, theirs=part[: 8 - begin], offset=begins)
    train = Volume(path="v.zarr", raw="raw", labels="ours", fit="intersect", scale=scale)
    test = train.derive(labels="theirs", scale=None)
    assert named(train=train, test=test, root=tmp_path) == (["v_test"] if meet else [])
    # of files that are not here regions tell
    assert named(train=train, test=test, root=tmp_path / "elsewhere") == ["v_test"]
