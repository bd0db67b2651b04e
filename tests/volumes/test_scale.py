"""Volumes read at a scale, against voxels that are gathered one by one by definition."""

import re

import numpy as np
import pytest
import zarr
from funlib.geometry import Coordinate, Roi
from image_folders import write_tree
from scaled_arrays import SIZE, by_definition, covering, write

from lsd.arrays.memory import Memory
from lsd.batches.sources.chunk_memory import with_memory
from lsd.spec import Images, Volume
from lsd.volumes.array import Array, open_array
from lsd.volumes.create import create_array
from lsd.volumes.images.listing import listed
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.known_voxels import truth_blocks
from lsd.volumes.levels import coarser
from lsd.volumes.scale import at_scale
from lsd.volumes.source import Source
from lsd.volumes.stored_chunks import stored
from lsd.volumes.units import lengths
from lsd.volumes.volume import open_volume

DATA = np.random.default_rng(4).integers(100, 255, (5, 9, 12), dtype=np.uint8)
CASES = [
    ((7, 9, 8), (0, 0, 0), (1, 2, 2), None),
    ((7, 9, 11), (3, -5, 2), (2, 2, 3), (4, 4, 4)),
    ((5, 6, 10), (-7, -1, -10), (4, 1, 5), (2, 3, 3)),
    ((1, 12, 3), (-1, 11, 1), (3, 4, 2), (1, 5, 2)),
]


@pytest.mark.parametrize("how", ["mean", "majority", "all"])
@pytest.mark.parametrize(("shape", "begin", "scale", "chunks"), CASES)
def test_each_voxel_is_made_of_those_of_the_world_that_it_covers(
    tmp_path, shape, begin, scale, chunks, how
):
    rng = np.random.default_rng(1)
    data = rng.integers(0, {"mean": 255, "majority": 3, "all": 9}[how], shape, dtype=np.uint8)
    coarse = at_scale(write(tmp_path / "v.zarr", "a", data, begin, chunks=chunks), scale, how)
    assert coarse.roi == covering(begin, shape, scale)
    expected = by_definition(data, begin, scale, how, coarse.roi)
    np.testing.assert_array_equal(coarse.read(coarse.roi), expected, strict=True)
    for _ in range(5):
        first = [rng.integers(0, n) for n in coarse.roi.shape]
        size = [
            int(rng.integers(1, n - b + 1)) for n, b in zip(coarse.roi.shape, first, strict=True)
        ]
        part = Roi(coarse.roi.begin + Coordinate(map(int, first)), size)
        inside = (part - coarse.roi.begin).to_slices()
        np.testing.assert_array_equal(coarse.read(part), expected[inside])


def test_it_lies_where_its_voxels_lie_in_nanometres(tmp_path):
    data, scale = np.zeros((7, 9, 11), np.uint8), (2, 3, 4)
    create_array(
        tmp_path / "v.zarr", "a", roi=Roi((3, -5, 2), data.shape), voxel_size=SIZE,
        dtype=np.uint8, remainder=(1.5, 0, -0.25), fill=0,
    )  # fmt: skip
    fine = open_array(tmp_path / "v.zarr", "a")
    coarse = at_scale(fine, scale, "mean")
    assert coarse.voxel_size == pytest.approx([80, 15.72, 16])
    for place in (coarse.roi.begin, coarse.roi.end, Coordinate(0, 0, 0)):
        np.testing.assert_allclose(
            lengths(place, coarse.voxel_size, coarse.remainder),
            lengths(place * Coordinate(scale), fine.voxel_size, fine.remainder),
        )


@pytest.mark.parametrize(("stored_as", "axes"), [("xyz", None), ("zyxc", None), ("czyx", None)])
def test_axes_in_any_order_on_disk(tmp_path, stored_as, axes):
    data = np.random.default_rng(2).integers(0, 255, (6, 7, 9), dtype=np.uint8)
    whole = data[None] if "c" in stored_as else data
    order = ["czyx"[-whole.ndim :].index(axis) for axis in stored_as]
    group = zarr.open_group(str(tmp_path / "v.zarr"), mode="w")
    array = group.array("a", whole.transpose(order), chunks=[4] * whole.ndim)
    sizes = [dict(zip("zyx", SIZE, strict=True))[axis] for axis in stored_as if axis != "c"]
    array.attrs.put({"axis_names": list(stored_as), "resolution": sizes})
    coarse = at_scale(open_array(tmp_path / "v.zarr", "a"), (1, 2, 3), "majority")
    read = coarse.read(coarse.roi)
    expected = coarser(data, (1, 2, 3), "majority")
    np.testing.assert_array_equal(read[0] if "c" in stored_as else read, expected)


def example(tmp_path, **fields):
    """Raw, and labels, a mask and a further array of a part of it."""
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 255, (9, 17, 21), dtype=np.uint8)
    labels = rng.integers(0, 4, (7, 15, 16)).astype(np.uint64) * np.uint64(2**61 + 1)
    mask = (rng.random(labels.shape) < 0.9).astype(np.uint8) * 7
    distance = rng.random(labels.shape).astype(np.float32)
    begin, inner = (-3, 5, -8), (-2, 6, -5)
    path = tmp_path / "v.zarr"
    for name, data, place in (
        ("raw", raw, begin),
        ("labels", labels, inner),
        ("mask", mask, inner),
        ("distance", distance, inner),
    ):
        write(path, name, data, place, chunks=(4, 4, 8))
    spec = Volume(
        path="v.zarr", raw="raw", labels="labels", labels_mask="mask",
        arrays={"distance": "distance"}, fit="intersect", **fields,
    )  # fmt: skip
    volume = open_volume(spec, name="v", data_root=tmp_path)
    return volume, {"raw": (raw, begin), "labels": (labels, inner), "mask": (mask, inner)}


def brute_roi(part, there, scale):
    """Coarse voxels of which all fine ones that raw has lie in a part."""
    places = []
    for b, e, first, last, f in zip(
        part.begin, part.end, there.begin, there.end, scale, strict=True
    ):
        inside = [
            i
            for i in range(first // f, -(-last // f))
            if all(b <= v < e for v in range(i * f, i * f + f) if first <= v < last)
        ]
        places.append((inside[0], inside[-1] + 1))
    return Roi([b for b, _ in places], [e - b for b, e in places])


@pytest.mark.parametrize("region", ["", "-1:4, 7:19, -3:10", "-2:5, 6:, :9"])
@pytest.mark.parametrize("scale", [(1, 2, 2), (2, 3, 4)])
def test_a_volume_is_read_at_its_scale(tmp_path, scale, region):
    volume, arrays = example(tmp_path, scale=scale, region=region)
    fine, _ = example(tmp_path, region=region)
    assert volume.voxel_size == pytest.approx(np.multiply(SIZE, scale))
    assert volume.roi == brute_roi(fine.roi, fine.raw.roi, scale)
    assert volume.truth_roi == volume.roi
    expected = {
        name: by_definition(data, begin, scale, how, volume.roi)
        for (name, (data, begin)), how in zip(
            arrays.items(), ("mean", "majority", "all"), strict=True
        )
    }
    np.testing.assert_array_equal(
        volume.read_raw(volume.roi), expected["raw"].astype(np.float32) / 255
    )
    labels, known = volume.read_truth(volume.roi)
    np.testing.assert_array_equal(labels, expected["labels"])
    np.testing.assert_array_equal(known, expected["mask"] > 0)
    assert volume.read_array("distance", volume.roi).dtype == np.float32


def test_raw_is_mirrored_at_coarse_voxels_and_truth_ends_with_its_region(tmp_path):
    volume, arrays = example(tmp_path, scale=(2, 3, 4))
    raw, begin = arrays["raw"]
    whole = by_definition(raw, begin, (2, 3, 4), "mean", volume.raw.roi)
    around = volume.raw.roi.grow((2, 2, 2), (2, 2, 2))
    mirrored = np.pad(whole, 2, mode="reflect").astype(np.float32) / 255
    np.testing.assert_array_equal(volume.read_raw(around), mirrored)
    labels, known = volume.read_truth(around)
    outside = np.ones(around.shape, bool)
    outside[(volume.roi - around.begin).to_slices()] = False
    assert not labels[outside].any()
    assert not known[outside].any()


def test_parts_that_lie_apart_share_no_voxel_of_the_file(tmp_path):
    one, _ = example(tmp_path, scale=(2, 2, 2), region="-2:2")
    other, _ = example(tmp_path, scale=(2, 2, 2), region="2:")
    odd, _ = example(tmp_path, scale=(2, 2, 2), region="1:")
    assert one.roi.end[0] <= other.roi.begin[0]
    assert one.in_file(one.roi).end[0] <= 2
    assert odd.in_file(odd.roi).begin[0] == 2


def test_a_region_of_another_section_of_the_config_counts_voxels_of_the_files_too(tmp_path):
    volume, _ = example(tmp_path, scale=(2, 3, 4))
    part = volume.part(((None, None), (9, 18)), volume.raw.roi)
    assert (part.begin[1], part.end[1]) == (3, 6)
    assert part.begin[0] == volume.raw.roi.begin[0]
    with pytest.raises(ValueError, match=r"region 0:99, .* is not inside"):
        volume.part(((0, 99),), volume.raw.roi)


def test_a_region_smaller_than_a_voxel_is_refused_in_words(tmp_path):
    with pytest.raises(
        ValueError, match=r"region 1:3, .* holds no whole voxel of scale \(4, 4, 4\)"
    ):
        example(tmp_path, scale=(4, 4, 4), region="1:3")


def test_the_unknown_label_votes_as_others_do(tmp_path):
    labels = np.array([[[5, 5, 5, 9, 9, 9, 5, 9]]], np.uint8)
    write(tmp_path / "v.zarr", "raw", labels, (0, 0, 0))
    write(tmp_path / "v.zarr", "labels", labels, (0, 0, 0))
    spec = Volume(path="v.zarr", raw="raw", labels="labels", unknown=9, scale=(1, 1, 4))
    volume = open_volume(spec, name="v", data_root=tmp_path)
    assert volume.read_labels(volume.roi).tolist() == [[[5, 9]]]
    assert volume.read_known(volume.roi).tolist() == [[[True, False]]]


def test_what_is_not_finite_is_unknown_where_it_is_part_of_a_voxel(tmp_path):
    raw = np.ones((2, 4, 4), np.float32)
    raw[0, 0, 0] = np.nan
    write(tmp_path / "v.zarr", "raw", raw, (0, 0, 0))
    fields = {"path": "v.zarr", "raw": "raw", "raw_range": (0, 1), "scale": (1, 2, 2)}
    volume = open_volume(Volume(**fields, invalid="mask"), name="v", data_root=tmp_path)
    assert np.argwhere(~volume.read_known(volume.roi)).tolist() == [[0, 0, 0]]
    refusing = open_volume(Volume(**fields), name="v", data_root=tmp_path)
    with pytest.raises(ValueError, match="holds nan"):
        refusing.read_raw(refusing.roi)


def test_nothing_large_is_read_at_once(tmp_path, monkeypatch):
    zeros = create_array(
        tmp_path / "v.zarr", "a", roi=Roi((0, 0, 0), (400, 512, 512)), voxel_size=(4, 4, 4),
        dtype=np.uint8, fill=3,
    )  # fmt: skip
    read, original = [], Source.read
    coarse = at_scale(open_array(tmp_path / "v.zarr", "a"), (4, 4, 4), "mean")

    def counted(self, slices):
        data = original(self, slices)
        if type(self) is Source:
            read.append(data.size)
        return data

    monkeypatch.setattr(Source, "read", counted)
    assert (coarse.read(coarse.roi) == 3).all()
    assert max(read) <= 1 << 21
    # each voxel once
    assert sum(read) == zeros.roi.size


def test_what_was_never_written_is_not_looked_at(tmp_path):
    roi = Roi((-8, 0, 0), (160, 160, 160))
    for name in ("raw", "labels"):
        array = create_array(
            tmp_path / "v.zarr", name, roi=roi, voxel_size=(4, 4, 4), dtype=np.uint8,
            chunks=(32, 32, 32), fill=0,
        )  # fmt: skip
        array.write(np.full((32, 32, 32), 5, np.uint8), Roi((24, 32, 96), (32, 32, 32)))
    spec = Volume(path="v.zarr", raw="raw", labels="labels", scale=(3, 2, 2))
    volume = open_volume(spec, name="v", data_root=tmp_path)
    assert volume.labels is not None
    begins, shape = stored(volume.labels)
    boxes = [Roi(begin.tolist(), shape) for begin in begins]
    labels = volume.read_labels(volume.roi)
    for place in np.argwhere(labels > 0) + np.array(volume.roi.begin):
        assert any(box.contains(Coordinate(place.tolist())) for box in boxes)
    blocks = truth_blocks(volume, volume.roi, masked=False)
    assert blocks.whole
    counted = sum(int((volume.read_labels(block) > 0).sum()) for block in blocks.rois)
    assert counted == int((labels > 0).sum())


def test_a_chunk_that_is_lost_is_named_by_its_file(tmp_path):
    array = write(tmp_path / "v.zarr", "a", DATA, (0, 0, 0), chunks=(4, 4, 4))
    (tmp_path / "v.zarr" / "a" / "0" / "1" / "0" / "2").unlink()
    coarse = at_scale(array, (1, 2, 2), "mean")
    with pytest.raises(ValueError, match=re.escape("a/0/1/0/2 was never written")):
        coarse.read(coarse.roi)


def test_inputs_open_what_was_opened_and_notice_edits_of_what_is_read(tmp_path):
    volume, arrays = example(tmp_path, scale=(2, 3, 4), region="-1:4, 7:19, -3:10")
    inputs = [
        VolumeInput.raw(volume, tmp_path, roi=volume.roi),
        VolumeInput.truth(volume, tmp_path, roi=volume.roi, arrays=("distance",)),
        VolumeInput.known(volume, tmp_path, roi=volume.roi),
        VolumeInput.everything(volume, tmp_path, around=Coordinate(0, 0, 0)),
    ]
    for each in inputs[1:]:
        assert each.open().roi == volume.roi
        assert VolumeInput.model_validate(each.model_dump(mode="json")).open().roi == volume.roi
    np.testing.assert_array_equal(
        inputs[0].open().read_raw(volume.roi), volume.read_raw(volume.roi)
    )
    raw, begin = arrays["raw"]
    array = open_array(tmp_path / "v.zarr", "raw", writable=True)
    assert begin == (-3, 5, -8)
    # of chunks of (4, 4, 8) voxels one beyond 0:4, 9:18, 0:8, which is read, and one inside of it
    array.write(raw[:4, :4, :8], Roi(begin, (4, 4, 8)))
    assert not inputs[0].changed()
    array.write(raw[:4, 4:8, 8:16], Roi((-3, 9, 0), (4, 4, 8)))
    assert inputs[0].changed()


def test_chunks_that_are_kept_are_those_of_one_scale(tmp_path):
    data = np.random.default_rng(5).integers(0, 2, (8, 8, 8), dtype=np.uint8)
    write(tmp_path / "v.zarr", "raw", data, (0, 0, 0), chunks=(4, 4, 4))
    memory = Memory()
    for scale in (None, (1, 2, 2), (2, 2, 2)):
        spec = Volume(path="v.zarr", raw="raw", labels="raw", labels_mask="raw", scale=scale)
        volume = open_volume(spec, name="v", data_root=tmp_path)
        kept = with_memory(volume, memory)
        np.testing.assert_array_equal(kept.read_raw(volume.roi), volume.read_raw(volume.roi))
        for one, other in zip(
            kept.read_truth(volume.roi), volume.read_truth(volume.roi), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_specs_of_a_scale():
    assert Volume(path="a.zarr", scale=(1, 1, 1)) == Volume(path="a.zarr")
    assert "scale" not in Volume(path="a.zarr").model_dump()
    scaled = Volume(path="a.zarr", scale=(1, 2, 2))
    assert Volume.model_validate_json(scaled.model_dump_json()) == scaled
    with pytest.raises(ValueError, match="images are read as they are"):
        Volume(images={"images": "a/*.png"}, scale=(1, 2, 2))
    with pytest.raises(ValueError, match=r"scale .* of 2 axes, voxel_size of 3"):
        Volume(path="a.zarr", scale=(2, 2), voxel_size=(4, 4, 4))


def test_a_scale_of_other_axes_is_refused(tmp_path):
    write(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0))
    spec = Volume(path="v.zarr", raw="raw", scale=(2, 2))
    with pytest.raises(ValueError, match=r"scale .* is of 2 axes, the volume of 3; give z y x"):
        open_volume(spec, name="v", data_root=tmp_path)


def test_planes_have_a_scale_too(tmp_path):
    plane = DATA[0]
    write(tmp_path / "v.zarr", "raw", plane, (3, 4), size=(4.0, 4.0))
    spec = Volume(path="v.zarr", raw="raw", scale=(2, 3))
    volume = open_volume(spec, name="v", data_root=tmp_path)
    expected = by_definition(plane, (3, 4), (2, 3), "mean", volume.roi)
    assert isinstance(volume.raw, Array)
    np.testing.assert_array_equal(volume.raw.read(volume.roi), expected)


def test_a_list_of_images_is_read_as_it_is(tmp_path):
    images = Images(images="mito/*/images/*.tiff", masks="mito/*/masks/*.tiff")
    file = listed(images, root=write_tree(tmp_path))
    with pytest.raises(ValueError, match="holds images, which are read as they are"):
        at_scale(open_array(file, "images"), (1, 2, 2), "mean")
