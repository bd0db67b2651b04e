"""Which sections are shown, whichever axes a volume has; and where error sites are in theirs."""

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi

from lsd.evaluation.error_sites.sites import Site
from lsd.report.layers import Layer, label_colours, shown_raw
from lsd.report.planes import box_of, planes
from lsd.report.site_pictures import draw_site
from lsd.spec import Evaluate, Images, Volume
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume


def volume_of(folder, roi, voxel_size):
    rng = np.random.default_rng(0)
    arrays = {
        "raw": rng.integers(0, 255, roi.shape).astype(np.uint8),
        "labels": rng.integers(1, 9, roi.shape).astype(np.uint64),
    }
    for name, data in arrays.items():
        create_array(
            folder / "v.zarr", name, roi=roi, voxel_size=voxel_size, dtype=data.dtype
        ).write(data, roi)
    spec = Volume(path="v.zarr", raw="raw", labels="labels")
    return open_volume(spec, name="v", data_root=folder), arrays


def truth_layer(volume):
    return Layer("truth", "", volume.read_labels, label_colours, exact=True)


def test_three_planes_of_a_volume(tmp_path) -> None:
    roi = Roi((10, 20, 30), (4, 12, 16))
    volume, arrays = volume_of(tmp_path, roi, (40.0, 10.0, 10.0))
    raw = Layer("raw", "", volume.read_raw, lambda a: np.stack([a] * 3, -1), exact=False)
    xy, xz, zy = planes(volume, roi, [raw], sections=3)
    assert [plane.name + plane.across for plane in (xy, xz, zy)] == ["xyz", "xzy", "zyx"]
    assert (xy.size, xz.size, zy.size) == ((160, 120), (160, 160), (160, 120))
    assert xy.voxels == (10, 12, 13)
    assert xz.voxels == (22, 26, 30)
    assert xz.places == (220.0, 260.0, 300.0)
    data = arrays["raw"] / 255
    np.testing.assert_allclose(xy.pictures[0][1][..., 0], data[2], atol=1e-6)
    np.testing.assert_allclose(xz.pictures[0][0][..., 0], data[:, 2], atol=1e-6)
    np.testing.assert_allclose(zy.pictures[0][0][..., 0], data[:, :, zy.voxels[0] - 30].T)


def test_labels_have_square_pixels_and_enough_of_them(tmp_path) -> None:
    roi = Roi((0, 0, 0), (4, 12, 16))
    volume, _ = volume_of(tmp_path, roi, (40.0, 10.0, 10.0))
    for plane in planes(volume, roi, [truth_layer(volume)], sections=1):
        height, width = plane.pictures[0][0].shape[:2]
        assert width / height == pytest.approx(plane.size[0] / plane.size[1])
        assert 160 < max(height, width) <= 320


def test_what_is_2d_has_one_plane(tmp_path) -> None:
    roi = Roi((5, 6), (20, 30))
    volume, arrays = volume_of(tmp_path, roi, (4.0, 4.0))
    [plane] = planes(volume, box_of(volume, roi, Evaluate()), [truth_layer(volume)])
    assert (plane.name, plane.size, len(plane.pictures[0])) == ("xy", (120, 80), 1)
    picture = plane.pictures[0][0]
    step = picture.shape[0] // 20
    middle = picture[step // 2 :: step, step // 2 :: step]
    for one in np.unique(arrays["labels"]):
        shown = middle[arrays["labels"] == one]
        assert len(np.unique(shown.round(5), axis=0)) == 1


def test_a_large_volume_is_shown_in_part(tmp_path) -> None:
    roi = Roi((0, 0, 0), (3, 300, 420))
    volume, _ = volume_of(tmp_path, roi, (4.0, 4.0, 4.0))
    box = box_of(volume, roi, Evaluate(), size=64)
    assert box.shape == (3, 64, 64)
    assert roi.contains(box)


@pytest.mark.parametrize(
    ("place", "mark"),
    [((60.0, 125.0, 185.0), (0.5, 0.5)), ((60.0, 25.0, 15.0), (0.5 / 8, 1.5 / 8))],
)
def test_a_site_is_marked_in_its_section(tmp_path, place, mark) -> None:
    """Places are centres of voxels, nm; a window ends where the volume does."""
    roi = Roi((1, 1, 1), (4, 24, 40))
    volume, arrays = volume_of(tmp_path, roi, (40.0, 10.0, 10.0))
    site = Site("merge", (3,), (1, 2), (10, 20), 0.5, 4, place)
    drawn = draw_site(site, volume, truth_layer(volume), size=8)
    z, y, x = 1, int(place[1] // 10), int(place[2] // 10)
    assert drawn.size == (80, 80)
    across, down = drawn.mark
    column, row = int(across * 8), int(down * 8)
    step = drawn.raw.shape[0] // 8
    grey = drawn.raw[row * step + 1, column * step + 1, 0]
    window = arrays["raw"][z - 1]
    low, high = (v for v in np.percentile(_window(window, y - 1, x - 1), [0.5, 99.5]))
    expected = np.clip((window[y - 1, x - 1] - low) / (high - low), 0, 1)
    assert grey == pytest.approx(expected, abs=0.01)
    if mark != (0.5, 0.5):
        assert drawn.mark == pytest.approx(mark)


def _window(section, y, x):
    top, left = min(max(y - 4, 0), 24 - 8), min(max(x - 4, 0), 40 - 8)
    return section[top : top + 8, left : left + 8]


def test_nothing_is_shown_beyond_an_image(tmp_path) -> None:
    """Where networks see it mirrored."""
    sizes = {"a": (20, 30), "b": (32, 24)}
    for name, size in sizes.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full(size, 255, np.uint8))
    volume = open_volume(Volume(images=Images(images="*.tif")), name="v", data_root=tmp_path)
    wanted = np.zeros((2, 32, 30), np.float32)
    wanted[0, :20, :30], wanted[1, :32, :24] = 1, 1
    assert volume.read_raw(volume.roi).all()
    np.testing.assert_array_equal(shown_raw(volume, volume.roi), wanted)
    site = Site("split", (1, 2), (1,), (3, 9), 0.1, 4, (0.5, 18.5, 18.5))
    drawn = draw_site(site, volume, truth_layer(volume), size=8)
    shown = wanted[0, 14:22, 14:22].repeat(32, axis=0).repeat(32, axis=1)
    np.testing.assert_array_equal(drawn.raw[..., 0], shown)
