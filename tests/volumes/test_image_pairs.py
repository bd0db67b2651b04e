"""Images and masks in folders: which belong together, which train, and how they are read."""

import csv
import itertools
import logging
import re

import numpy as np
import pytest
import tifffile
from image_folders import SIZES, mask, picture, write_tree

from lsd.spec import Images, Split
from lsd.volumes.array import open_array
from lsd.volumes.images.listing import listed, read_list
from lsd.volumes.images.pairs import find_pairs
from lsd.volumes.images.splitting import split_keys

MITO = Images(images="mito/*/images/*.tiff", masks="mito/*/masks/*.tiff")


@pytest.fixture
def root(tmp_path):
    return write_tree(tmp_path)


def touch(root, *paths) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_names_that_two_sources_share_are_two_images(root) -> None:
    pairs = find_pairs(MITO, root=root)
    assert list(pairs) == ["a/one", "a/two", "b/one", "b/three"]
    assert pairs["b/one"] == (root / "mito/b/images/one.tiff", root / "mito/b/masks/one.tiff")


@pytest.mark.parametrize(
    ("images", "masks", "files", "keys"),
    [
        ("raw/*.png", "seg/*_mask.tif", ["raw/a.png", "seg/a_mask.tif"], ["a"]),
        # masks beside images, and in a folder that is named alone
        ("*.png", "*_mask.png", ["a.png", "a_mask.png"], ["a"]),
        ("raw/*.png", "seg", ["raw/a.png", "seg/a.png"], ["a"]),
        ("raw/**/*.png", "seg", ["raw/a.png", "seg/a.png", "raw/x/y/a.png", "seg/x/y/a.png"],
         ["a", "x/y/a"]),
        ("d/**/raw/*.png", "d/**/seg/*.png", ["d/x/raw/1.png", "d/x/seg/1.png"], ["x/1"]),
        ("im_?[0-9].png", "m_?[0-9].png", ["im_01.png", "m_01.png", "m_02.png", "im_02.png"],
         ["01", "02"]),
        ("s*_t*.png", None, ["s1_t2.png", "s1_t10.png"], ["1_t10", "1_t2"]),
        ("./raw/*.png", "raw/./*.tif", ["raw/a.png", "raw/a.tif"], ["a"]),
        ("odd (1).+/*.png", None, ["odd (1).+/a.png"], ["a"]),
        ("a/[^x].png", None, ["a/x.png", "a/^.png", "a/b.png"], ["^", "x"]),
        ("a/[!x].png", None, ["a/x.png", "a/^.png"], ["^"]),
        ("a/[]b].png", None, ["a/].png", "a/b.png"], ["]", "b"]),
        ("a[[]1]/*.png", None, ["a[1]/b.png"], ["[/b"]),
    ],
)  # fmt: skip
def test_a_key_is_what_wildcards_stand_for(tmp_path, images, masks, files, keys) -> None:
    touch(tmp_path, *files)
    assert list(find_pairs(Images(images=images, masks=masks), root=tmp_path)) == keys
    absolute = Images(images=f"{tmp_path}/{images}", masks=masks and f"{tmp_path}/{masks}")
    assert list(find_pairs(absolute, root=tmp_path / "nowhere")) == keys


def test_partners_that_miss_are_named(root) -> None:
    (root / "mito/b/masks/one.tiff").unlink()
    with pytest.raises(ValueError, match=r"image without mask: .*mito/b/images/one\.tiff; each"):
        find_pairs(MITO, root=root)
    touch(root, "mito/b/masks/one.tiff")
    touch(root, *(f"mito/c/masks/{n}.tiff" for n in range(5)))
    with pytest.raises(ValueError, match=r"mask without image: .*c/masks/0\.tiff.* and 2 more"):
        find_pairs(MITO, root=root)


def test_masks_of_another_ending_are_told_what_was_looked_for(tmp_path) -> None:
    touch(tmp_path, "raw/1.jpg", "seg/1.png")
    with pytest.raises(ValueError, match=r"wants a mask by the pattern 'seg/\*\.jpg'"):
        find_pairs(Images(images="raw/*.jpg", masks="seg"), root=tmp_path)


def test_two_files_of_one_key_are_refused(tmp_path) -> None:
    touch(tmp_path, "b/c/a/x.png", "b/a/c/x.png")
    with pytest.raises(ValueError, match="have one key"):
        find_pairs(Images(images="**/a/**/*.png"), root=tmp_path)


def test_nothing_matches(root) -> None:
    with pytest.raises(ValueError, match=r"no image matches .*nothing/\*\.png.*data_root"):
        find_pairs(Images(images="nothing/*.png"), root=root)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"images": "mito/images"}, r"names no pattern.*mito/images/\*\.png"),
        ({"images": "*/a/*.png", "masks": "b/*.png"}, "has 1 wildcards, .* 2"),
        ({"images": "*.png", "file": "list.txt"}, r"so call it list\.txt\.csv"),
        ({"images": "*.png", "split": {"fractions": (0.5, 0.1, 0.1)}}, "add up to 0.7"),
    ],
)
def test_specs_that_are_wrong(fields, words) -> None:
    with pytest.raises(ValueError, match=words):
        Images(**fields)


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("mito/*/images/*.tiff", "mito.csv"),
        ("/data/set/images/*.png", "/data/set/images.csv"),
        ("*.png", "images.csv"),
        ("/*.png", "/images.csv"),
    ],
)
def test_where_the_list_lies(pattern, file) -> None:
    assert Images(images=pattern).list_file == file
    assert Images(images=pattern, file="other.csv").list_file == "other.csv"


def test_a_split_depends_on_names_and_seed_alone() -> None:
    keys = [f"{source}/{n}" for source in "abcdefgh" for n in range(25)]
    split = Split(fractions=(0.8, 0.05, 0.15), seed=3)
    parts = split_keys(keys, split)
    assert split_keys(reversed(keys), split) == parts
    counts = [list(parts.values()).count(name) for name in ("train", "validate", "test")]
    assert counts == [160, 10, 30]
    assert split_keys(keys, split.derive(seed=4)) != parts
    # the same on any machine and with any version: written down once
    assert "".join(part[1] for part in parts.values())[:20] == "rrrrrerrerrerrerrrrr"


def test_folders_stay_whole() -> None:
    keys = [f"{source}/{n}" for source in map(str, range(60)) for n in range(1 + int(source) % 7)]
    parts = split_keys(keys, Split(by="folder", fractions=(0.7, 0.1, 0.2)))
    for _, group in itertools.groupby(keys, lambda key: key.split("/")[0]):
        assert len({parts[key] for key in group}) == 1
    shares = [
        sum(part == name for part in parts.values()) / len(keys)
        for name in ("train", "validate", "test")
    ]
    assert np.allclose(shares, (0.7, 0.1, 0.2), atol=0.04)
    with pytest.raises(ValueError, match="all images are in one folder"):
        split_keys(["1", "2"], Split(by="folder"))


def test_the_list_is_written_once_and_read_afterwards(root) -> None:
    images = MITO.derive(split=Split(by="folder", fractions=(0.5, 0, 0.5)))
    file = listed(images, root=root)
    text = file.read_text()
    with file.open(newline="") as lines:
        rows = {row["key"]: row for row in csv.DictReader(lines)}
    assert file == root / "mito.csv"
    assert set(rows) == set(SIZES)
    for key, row in rows.items():
        assert (int(row["height"]), int(row["width"])) == SIZES[key]
        assert row["image"] == f"mito/{key[0]}/images/{key[2:]}.tiff"
    assert len({rows[key]["part"] for key in ("a/one", "a/two")}) == 1
    assert len({row["part"] for row in rows.values()}) == 2
    # another seed changes nothing once there is a list; what people write into it counts
    assert listed(images.derive(split={"seed": 7}), root=root).read_text() == text
    file.write_text(re.sub("a/one,[a-z]+", "a/one,validate", text))
    assert {row.key: row.part for row in read_list(file)}["a/one"] == "validate"


def test_a_list_of_other_images_is_refused(root, caplog) -> None:
    file = listed(MITO, root=root)
    for folder in ("images", "masks"):
        tifffile.imwrite(root / f"mito/a/{folder}/new.tiff", np.zeros((4, 4), np.uint8))
    with caplog.at_level(logging.WARNING):
        listed(MITO, root=root)
    assert "1 image on disk are not in" in caplog.text.replace("images", "image")
    assert "a/new" in caplog.text
    for folder in ("images", "masks"):
        (root / f"mito/b/{folder}/one.tiff").unlink()
    with pytest.raises(ValueError, match=r"lists 1 image that .* not there any more: b/one; put"):
        listed(MITO, root=root)
    file.write_text("key,part\n")
    with pytest.raises(ValueError, match="its first line must be key,part,height"):
        listed(MITO, root=root)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c,some,4,4,a.png,", r"line 6: .*part 'some' is none of train, validate, test"),
        ("c,train,x,4,a.png,", "line 6: .*invalid literal"),
        ("c,train,4", "line 6: .*not enough values"),
        ("a/one,train,4,4,a.png,", "lists 'a/one' twice"),
    ],
)
def test_a_list_that_was_edited_badly(root, line, words) -> None:
    file = listed(MITO, root=root)
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(ValueError, match=words):
        read_list(file)


def test_a_list_that_a_spreadsheet_saved(root) -> None:
    file = listed(MITO.derive(split=Split(fractions=(0.5, 0, 0.5))), root=root)
    rows = read_list(file)
    file.write_bytes(file.read_text().replace("\n", "\r\n").encode("utf-8-sig"))
    assert read_list(file) == rows
    assert open_array(file, "images").shape == (4, 40, 30)


def test_a_part_that_the_list_does_not_have(root) -> None:
    listed(MITO, root=root)
    with pytest.raises(ValueError, match="says of 4 images no part"):
        listed(MITO.derive(part="test"), root=root)
    (root / "mito.csv").unlink()
    none_to_test = MITO.derive(split=Split(fractions=(1, 0, 0)), part="test")
    with pytest.raises(
        ValueError, match=r"no image of part 'test' \(train 4, validate 0, test 0\)"
    ):
        listed(none_to_test, root=root)


def test_the_same_files_by_other_patterns(root) -> None:
    listed(MITO, root=root)
    with pytest.raises(ValueError, match=r"the patterns find .* and no mask"):
        listed(MITO.derive(masks=None), root=root)


def test_sizes_and_types_that_differ(root) -> None:
    tifffile.imwrite(root / "mito/a/masks/one.tiff", np.zeros((24, 23), np.uint8))
    with pytest.raises(
        ValueError, match=r"a/masks/one\.tiff is of 24x23 pixels, its image .*24x24"
    ):
        listed(MITO, root=root)
    tifffile.imwrite(root / "mito/a/masks/one.tiff", np.zeros((24, 24), np.uint8))
    tifffile.imwrite(root / "mito/a/images/one.tiff", np.zeros((24, 24), np.uint16))
    with pytest.raises(ValueError, match=r"several types.*a/images/one\.tiff is uint16"):
        listed(MITO, root=root)


@pytest.mark.parametrize("names", [(255, 255), (1, 2), (1, 0)])
def test_masks_that_tell_no_objects_apart(root, caplog, names) -> None:
    for file in sorted((root / "mito").glob("*/masks/*.tiff")):
        numbers = tifffile.imread(file)
        tifffile.imwrite(file, np.array([0, *names], np.uint16)[numbers])
    with caplog.at_level(logging.WARNING):
        listed(MITO, root=root)
    told = "masks hold 255 and 0 alone, in up to 2 pieces an image" in caplog.text
    assert told == (names == (255, 255))
    (root / "mito.csv").unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        listed(MITO.derive(holds="classes"), root=root)
    assert not caplog.text


def test_an_array_of_a_list(root) -> None:
    file = listed(MITO.derive(split=Split(fractions=(0.5, 0.25, 0.25))), root=root)
    rows = read_list(file)
    images, masks = (open_array(file, name) for name in ("images", "masks"))
    assert images.shape == masks.shape == (4, 40, 30)
    assert (images.dtype, masks.dtype) == (np.uint8, np.uint64)
    assert not images.calibrated
    assert images.voxel_size == (1, 1, 1)
    for z, row in enumerate(rows):
        height, width = SIZES[row.key]
        inside = np.zeros((40, 30), np.uint8)
        inside[:height, :width] = picture(row.key, SIZES[row.key])
        assert (images.read(images.roi)[z] == inside).all()
        inside[:height, :width] = mask(row.key, SIZES[row.key])
        assert (masks.read(masks.roi)[z] == inside).all()
    train = open_array(file, "train/images")
    keys = [row.key for row in rows if row.part == "train"]
    height, width = SIZES[keys[1]]
    assert len(keys) == train.shape[0] == 2
    assert (train.read(train.roi)[1, :height, :width] == picture(keys[1], SIZES[keys[1]])).all()


def test_an_image_that_changed_since(root) -> None:
    file = listed(MITO, root=root)
    tifffile.imwrite(root / "mito/a/images/one.tiff", np.zeros((9, 9), np.uint8))
    images = open_array(file, "images")
    with pytest.raises(
        ValueError, match=r"a/images/one\.tiff is uint8 of 9x9 pixels.*24x24 by mito"
    ):
        images.read(images.roi)
    (root / "mito/a/images/one.tiff").unlink()
    with pytest.raises(ValueError, match=r"a/images/one\.tiff is not there any more"):
        images.read(images.roi)
    (root / "mito/a/images/one.tiff").write_bytes(b"II*\0 and then nothing")
    with pytest.raises(ValueError, match=r"a/images/one\.tiff cannot be read"):
        images.read(images.roi)
