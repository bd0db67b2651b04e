"""The objects of a segmentation on disk, and their density by the command."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.cli.commands.density import main
from lsd.objects.locate import locate
from lsd.objects.segmented import objects_of
from lsd.objects.tables import read_located
from lsd.volumes.create import create_array

SIZE, BEGIN = (40.0, 16.0, 16.0), (3, -2, 5)


def labels(shape=(20, 30, 26)) -> np.ndarray:
    rng = np.random.default_rng(0)
    found = np.zeros(shape, np.uint64)
    for label in (1, 2, 7, 2**40):
        corner = [rng.integers(0, n - 8) for n in shape]
        found[tuple(slice(b, b + 8) for b in corner)] = label
    return found


@pytest.fixture
def array(tmp_path):
    data = labels()
    roi = Roi(BEGIN, data.shape)
    array = create_array(
        tmp_path / "v.zarr", "segmentation", roi=roi, voxel_size=SIZE, dtype="u8", labels=True
    )
    array.write(data, roi)
    return array


@pytest.mark.parametrize("block", [(256, 256, 256), (7, 9, 11), (1, 30, 26)])
def test_blocks_are_the_whole(array, block) -> None:
    found = objects_of(array, block=block)
    offset = np.array(BEGIN) * SIZE
    whole = locate(labels(), voxel_size=SIZE, offset=offset.tolist())
    for column in ("id", "begin", "end", "voxels", "volume", "confidence"):
        np.testing.assert_array_equal(getattr(found, column), getattr(whole, column), column)
    for number, point in zip(found.id, found.point, strict=True):
        middle = (np.argwhere(labels() == number).mean(axis=0) + 0.5) * SIZE + offset
        assert (np.abs(point - middle) <= np.array(SIZE) / 2).all()


def test_nothing_is_an_empty_table(tmp_path) -> None:
    roi = Roi((0, 0, 0), (8, 8, 8))
    array = create_array(tmp_path / "v.zarr", "s", roi=roi, voxel_size=SIZE, dtype="u8")
    array.write(np.zeros(roi.shape, np.uint64), roi)
    assert len(objects_of(array)) == 0


def test_one_channel_is_a_segmentation(tmp_path, array) -> None:
    again = create_array(
        tmp_path / "c.zarr", "s", roi=array.roi, voxel_size=SIZE, dtype="i8", channels=1
    )
    again.write(labels().astype(np.int64)[None], array.roi)
    found, wanted = objects_of(again), objects_of(array)
    for column in ("id", "point", "begin", "end", "voxels"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column), column)


@pytest.mark.parametrize(
    ("dtype", "value", "says"),
    [("i8", -3, "s holds the negative id -3 in "), ("f4", 2.0, "s is float32; ids of objects are")],
)
def test_what_is_no_ids_has_no_objects(tmp_path, dtype, value, says) -> None:
    roi = Roi((0, 0, 0), (8, 8, 8))
    array = create_array(tmp_path / "v.zarr", "s", roi=roi, voxel_size=SIZE, dtype=dtype)
    array.write(np.full(roi.shape, value, dtype), roi)
    with pytest.raises(ValueError, match=says):
        objects_of(array)


@pytest.mark.parametrize("begin", [("--begin", "-400,-96.5,-1e2"), ("--begin=-400,-96.5,-1e2",)])
def test_the_region_may_begin_before_zero(array, tmp_path, begin) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([str(tmp_path / "v.zarr"), *begin, "--end", "1000,600,600", "--bins", "1"])
    rows = [row.split(",") for row in (tmp_path / "v_density.csv").read_text().splitlines()]
    # um
    slabs = {axis: (float(low), float(high)) for what, axis, low, high, *_ in rows[1:4]}
    assert slabs == {"z": (-0.4, 1.0), "y": (-0.0965, 0.6), "x": (-0.1, 0.6)}


def test_the_command_reads_a_segmentation(array, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([str(tmp_path / "v.zarr"), "--bins", "2"])
    said = capsys.readouterr().out
    # 20x30x26 voxels of 40x16x16 nm
    space = 20 * 40 * 30 * 16 * 26 * 16 / 1e18
    table = read_located(tmp_path / "v_objects.csv")
    assert f"{len(table)} objects in {space:.4g} mm3" in said
    assert set(table.id.tolist()) <= {1, 2, 7, 2**40}
    assert (tmp_path / "v_density.png").is_file()
    rows = (tmp_path / "v_density.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 2
    assert rows[1].startswith("density,z,0.12,")
    with pytest.raises(SystemExit, match="1"):
        main([str(tmp_path / "v.zarr"), "--array", "nothing"])
    assert "holds no array 'nothing'" in capsys.readouterr().err
