"""Volumes whose sections are images of their own: raw mirrored at each border, truth where there is
an image, objects told apart."""

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from image_folders import SIZES, mask, picture, write_png, write_tree

from lsd.evaluation.boundaries import NOT_COMPARED, read_compared
from lsd.evaluation.scored import scored_blocks
from lsd.spec import (
    Evaluate,
    Head,
    Images,
    InteriorBoundary,
    Semantic,
    Sharpen,
    SignedDistance,
    Split,
    Volume,
)
from lsd.volumes.create import create_array
from lsd.volumes.images.checks import check_use
from lsd.volumes.images.listing import read_list
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.known_voxels import known_everywhere
from lsd.volumes.raw_checks import check_raw
from lsd.volumes.volume import open_volume

MITO = Images(images="mito/*/images/*.tiff", masks="mito/*/masks/*.tiff")
FIRST = 2**32


def opened(root, images=MITO, **fields):
    return open_volume(Volume(images=images, **fields), name="mito", data_root=root)


@pytest.fixture
def root(tmp_path):
    return write_tree(tmp_path)


def keys(root) -> list[str]:
    return [row.key for row in read_list(root / "mito.csv")]


@pytest.mark.parametrize("margin", [(0, 0), (3, 5), (60, 70)])
def test_raw_is_mirrored_at_the_border_of_each_image(root, margin) -> None:
    volume = opened(root)
    roi = volume.raw.roi.grow((0, *margin), (0, *margin))
    raw = volume.read_raw(roi)
    assert raw.shape == (4, 40 + 2 * margin[0], 30 + 2 * margin[1])
    for z, key in enumerate(keys(root)):
        height, width = SIZES[key]
        right = [(m, roi.shape[axis] - m - n) for axis, m, n in
                 ((1, margin[0], height), (2, margin[1], width))]  # fmt: skip
        expected = np.pad(picture(key, SIZES[key]), right, mode="reflect")
        assert np.allclose(raw[z], expected / 255)


def test_a_part_of_an_image(root) -> None:
    volume = opened(root)
    whole = volume.read_raw(volume.raw.roi)
    part = Roi((1, 11, 3), (2, 20, 27))
    assert (volume.read_raw(part) == whole[part.to_slices()]).all()
    labels, known = volume.read_truth(volume.roi)
    assert (volume.read_truth(part)[0] == labels[part.to_slices()]).all()
    assert (volume.read_truth(part)[1] == known[part.to_slices()]).all()


def test_objects_of_two_images_have_two_names(root) -> None:
    volume = opened(root)
    labels, known = volume.read_truth(volume.roi)
    for z, key in enumerate(keys(root)):
        height, width = SIZES[key]
        numbers = mask(key, SIZES[key]).astype(np.uint64)
        assert (labels[z, :height, :width] == np.where(numbers > 0, numbers + z * FIRST, 0)).all()
        assert known[z].sum() == known[z, :height, :width].sum() == height * width
    assert (known == volume.read_inside(volume.roi)).all()
    assert not known_everywhere(volume)
    assert not labels[~known].any()


def test_classes_mean_the_same_everywhere(root) -> None:
    volume = opened(root, MITO.derive(holds="classes"))
    assert set(np.unique(volume.read_labels(volume.roi))) == {0, 1, 2}


def test_names_are_no_classes(root) -> None:
    """Labels that count anew in each image can be neither learned as classes nor ignored."""
    heads = {"kinds": Head(target=Semantic(classes=(1, 2)))}
    ignoring, background = Evaluate(ignore=(0, 2)), Evaluate(ignore=(0,))
    names, classes = opened(root), opened(root, MITO.derive(holds="classes"))
    with pytest.raises(ValueError, match=r"head 'kinds' learns classes, .*holds='classes'"):
        check_use(names, heads, dims=2)
    with pytest.raises(ValueError, match=r"evaluate\.ignore names label 2, .*say unknown=2 of"):
        scored_blocks(names, names.roi, ignoring)
    scored_blocks(names, names.roi, background)
    check_use(classes, heads, dims=2)
    scored_blocks(classes, classes.roi, ignoring)


def test_large_ids_keep_apart_and_crops_agree(root) -> None:
    numbers = np.zeros(SIZES["a/one"], np.uint64)
    numbers[0:4], numbers[6:9], numbers[12:15], numbers[20:22] = 7, 2**31, 2**64 - 1, 2**64 - 2
    tifffile.imwrite(root / "mito/a/masks/one.tiff", numbers)
    volume = opened(root, unknown=2**64 - 2)
    z = keys(root).index("a/one")
    whole, known = volume.read_truth(Roi((z, 0, 0), (1, 24, 24)))
    ids, places = np.unique(whole, return_inverse=True)
    assert (np.unique(numbers, return_inverse=True)[1] == places.reshape(24, 24)).all()
    assert ids[0] == 0
    assert (ids[1:] // FIRST == z).all()
    assert (known[0] == (numbers != 2**64 - 2)).all()
    for begin in range(0, 24, 5):
        crop = Roi((z, begin, 3), (1, 4, 9)).intersect(Roi((z, 0, 0), (1, 24, 24)))
        assert (volume.read_labels(crop)[0] == whole[0, begin : begin + 4, 3:12]).all()


def test_masks_may_be_further_truth(root) -> None:
    volume = opened(root, labels=None, arrays={"mitochondria": "masks"})
    assert volume.labels is None
    assert volume.read_array("mitochondria", volume.roi).max() == 2
    with_both = opened(root, labels_mask="masks")
    assert (with_both.read_known(with_both.roi) == (with_both.read_labels(with_both.roi) > 0)).all()


def test_a_part_is_a_volume(root) -> None:
    images = MITO.derive(split=Split(by="folder", fractions=(0.5, 0.5, 0)))
    parts = {part: opened(root, images.derive(part=part)) for part in ("train", "validate")}
    assert sorted(parts[part].roi.shape[0] for part in parts) == [2, 2]
    rows = read_list(root / "mito.csv")
    for part, volume in parts.items():
        for z, key in enumerate(row.key for row in rows if row.part == part):
            height, width = SIZES[key]
            raw = volume.raw.read(volume.raw.roi)[z, :height, :width]
            assert (raw == picture(key, SIZES[key])).all()


def test_a_region_is_of_images(root) -> None:
    volume = opened(root, region="1:3")
    assert volume.roi == Roi((1, 0, 0), (2, 40, 30))
    assert not volume.read_known(volume.raw.roi)[[0, 3]].any()


def test_what_is_read_of_images_with_a_voxel_size(root) -> None:
    """Which is of y and x; a region is of z, y and x."""
    roi = Roi((1, 0, 0), (2, 20, 20))
    for size in ((8, 6), (8, 8, 6)):
        volume = opened(root, voxel_size=size, region="0:4, 0:30, :", unknown=2)
        assert volume.roi == Roi((0, 0, 0), (4, 30, 30))
        for job in (VolumeInput.truth, VolumeInput.known):
            read = job(volume, root, roi=roi).open()
            assert (read.read_known(roi) == volume.read_known(roi)).all()
            assert read.voxel_size == (8, 8, 6)
    with pytest.raises(ValueError, match="is of 2 axes, a volume of images of 3; give both alike"):
        opened(root, voxel_size=(8, 6), offset=(0, 0))


@pytest.mark.parametrize(
    ("size", "read"), [(None, (1, 1, 1)), ((8, 6), (8, 8, 6)), ((40, 8, 6), (40, 8, 6))]
)
def test_a_voxel_size_by_hand_or_none(root, size, read) -> None:
    volume = opened(root, voxel_size=size)
    assert volume.voxel_size == read
    assert volume.calibrated == (size is not None)


def test_what_is_in_nm_wants_a_voxel_size(root) -> None:
    with pytest.raises(ValueError, match=r"sharpen.*in nm, and the volume has no voxel size; give"):
        opened(root, sharpen=Sharpen(in_xy=True))
    with pytest.raises(ValueError, match="nothing to do with each other: set sharpen's in_xy=True"):
        opened(root, sharpen=Sharpen(), voxel_size=(8, 8))
    sharp = opened(root, sharpen=Sharpen(in_xy=True), voxel_size=(8, 8))
    assert sharp.read_raw(sharp.roi).shape == (4, 40, 30)


@pytest.mark.parametrize(
    ("target", "field"),
    [(SignedDistance(), "reach"), (InteriorBoundary(width=20, unit="nm"), "width")],
)
def test_targets_in_nm_want_a_voxel_size(root, target, field) -> None:
    heads = {"a": Head(target=target)}
    with pytest.raises(ValueError, match=rf"{field} of head 'a' is in nm, and the volume has no"):
        check_use(opened(root), heads, dims=2)
    check_use(opened(root, voxel_size=(8, 8)), heads, dims=2)
    check_use(opened(root), {"a": Head(target=InteriorBoundary())}, dims=2)


def test_a_metric_in_nm_wants_a_voxel_size(root) -> None:
    cremi = Evaluate(metric="cremi")
    without, with_size = opened(root), opened(root, voxel_size=(4, 4))
    with pytest.raises(ValueError, match="'cremi' leaves out at boundaries is in nm, and the vol"):
        scored_blocks(without, without.roi, cremi)
    scored_blocks(with_size, with_size.roi, cremi)


def test_the_border_of_an_image_is_no_boundary(root) -> None:
    """Of truth that is not compared near boundaries, whatever the size of the largest image."""
    for key, size in SIZES.items():
        tifffile.imwrite(root / f"mito/{key[0]}/masks/{key[2:]}.tiff", np.full(size, 7, np.uint16))
    volume = opened(root, voxel_size=(4, 4))
    labels, known = read_compared(volume, volume.roi, boundary=8.0)
    assert not (labels == NOT_COMPARED).any()
    assert (known == volume.read_inside(volume.roi)).all()


@pytest.mark.parametrize("images", ["mito/*/images/*.tiff", 3])
def test_what_is_no_images_is_told_of(images) -> None:
    with pytest.raises(ValueError, match="wants several fields by name: images, masks"):
        Volume(images=images)


def test_an_array_without_a_voxel_size_is_read_as_it_was_written(tmp_path) -> None:
    roi = Roi((0, 3, 4), (2, 5, 6))
    create_array(
        tmp_path / "a.zarr", "x", roi=roi, voxel_size=(1, 1, 1), dtype="u1", calibrated=False
    )
    from lsd.volumes.array import open_array

    read = open_array(tmp_path / "a.zarr", "x")
    assert (read.roi, read.voxel_size, read.calibrated) == (roi, (1, 1, 1), False)
    given = open_array(tmp_path / "a.zarr", "x", voxel_size=(1, 8, 8), offset=(0, 24, 32))
    assert (given.roi, given.voxel_size, given.calibrated) == (roi, (1, 8, 8), True)


def test_png_of_16_bits(tmp_path) -> None:
    pixels = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    write_png(tmp_path / "raw/a.png", pixels)
    write_png(tmp_path / "seg/a.png", (pixels > 9000).astype(np.uint8))
    images = Images(images="raw/*.png", masks="seg")
    with pytest.raises(ValueError, match="raw is uint16; only uint8"):
        opened(tmp_path, images)
    volume = opened(tmp_path, images, raw_range=(0, 60000))
    assert np.allclose(volume.read_raw(volume.roi)[0], np.minimum(pixels / 60000, 1), atol=1e-6)
    check_raw(volume)


def test_what_is_read_of_images_is_their_state(root) -> None:
    volume = opened(root)
    state = VolumeInput.raw(volume, root, roi=Roi((0, 0, 0), (1, 40, 30)))
    assert not state.changed()
    other = root / f"mito/{keys(root)[1].replace('/', '/images/')}.tiff"
    tifffile.imwrite(other, np.ones((24, 24), np.uint8), description="another time, other bytes")
    assert not state.changed()
    first = root / f"mito/{keys(root)[0].replace('/', '/images/')}.tiff"
    tifffile.imwrite(first, np.ones((16, 20), np.uint8), description="another time, other bytes")
    assert state.changed()


def test_where_images_are_does_not_hang_on_what_they_hold(tmp_path) -> None:
    """Raw is no input of it, on whatever grid, so a value that is none hides no voxel."""
    raw = np.zeros((5, 7), np.float32)
    raw[2, 3] = np.nan
    (tmp_path / "mito").mkdir()
    tifffile.imwrite(tmp_path / "mito" / "one.tiff", raw)
    fields = {"invalid": "mask", "raw_range": (0, 1)}
    volume = opened(tmp_path, Images(images="mito/*.tiff"), **fields)
    assert not volume.read_known(volume.raw.roi).all()
    inside = VolumeInput.inside(volume, tmp_path).open()
    for there in (inside, inside.on_grid(volume.raw.remainder)):
        assert there.read_known(volume.raw.roi).all()
        with pytest.raises(AssertionError, match="no part of the job"):
            there.raw.read(volume.raw.roi)


def test_what_a_volume_is_made_of() -> None:
    volume = Volume(images=MITO)
    assert (volume.raw, volume.labels, volume.stem) == ("images", "masks", "mito")
    assert Volume.model_validate_json(volume.model_dump_json()) == volume
    assert volume.derive(images={"part": "test"}).labels == "masks"
    assert Volume(images=MITO.derive(masks=None)).labels is None
    assert "images" not in Volume(path="x.zarr").model_dump()
    with pytest.raises(ValueError, match=r"one of a path, .* and images=.*, got 2"):
        Volume(path="x.zarr", images=MITO)


@pytest.mark.parametrize("region", [(), ((1, 4), (2, 22), (None, 25))])
def test_objects_go_on_beyond_each_image_as_in_a_mirror(root, region) -> None:
    """For targets of training, as raw does, which the network sees; nothing is known there, and
    what lies beyond a region is not looked at."""
    volume = opened(root, region=region)
    roi = volume.roi.grow((0, 30, 35), (0, 30, 35))
    labels, known = volume.read_truth(roi, mirrored=True)
    assert (known == volume.read_known(roi)).all()
    within = volume.roi.to_slices()[1:]
    for z, key in enumerate(keys(root)[volume.roi.begin[0] :]):
        numbers = mask(key, SIZES[key])[within].astype(np.uint64)
        numbers[numbers > 0] += np.uint64((z + volume.roi.begin[0]) * FIRST)
        around = [(30, 30 + volume.roi.shape[1] - numbers.shape[0]),
                  (35, 35 + volume.roi.shape[2] - numbers.shape[1])]  # fmt: skip
        assert (labels[z] == np.pad(numbers, around, mode="reflect")).all()


def test_labels_of_images_in_an_array_are_mirrored_where_images_end(root) -> None:
    """As corrected ones lie, which know nothing of sizes."""
    listed = opened(root, MITO.derive(holds="classes"))
    truth = create_array(
        root / "fixed.zarr", "labels", roi=listed.roi, voxel_size=(1, 1, 1), dtype=np.uint64
    )
    truth.write(listed.read_labels(listed.roi), listed.roi)
    volume = opened(
        root, MITO.derive(holds="classes"), labels=f"{root}/fixed.zarr:labels", fit="intersect"
    )
    roi = volume.roi.grow((0, 9, 9), (0, 9, 9))
    wanted, _ = listed.read_truth(roi, mirrored=True)
    assert (volume.read_truth(roi, mirrored=True)[0] == wanted).all()


def test_a_list_is_no_volume_by_its_path(root) -> None:
    """Whose sections would hang together, and whose masks would share names."""
    opened(root)
    written = Volume(path="mito.csv", raw="images", labels="masks")
    with pytest.raises(ValueError, match=r"'x': raw is named as .*mito.csv, which is a list"):
        open_volume(written, name="x", data_root=root)
