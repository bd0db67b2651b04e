"""Raw that is sharpened as it is read."""

import numpy as np
from funlib.geometry import Roi
from small_volume import RAW, opened, save


def test_sharpened_raw_is_raw_and_more_of_what_is_finer_than_sigma(tmp_path) -> None:
    """A Gaussian written out: weights of z, y, x in turn, over a volume that is mirrored at its
    borders."""
    save(tmp_path, raw=RAW, size=(20, 4, 10))
    volume = opened(tmp_path, sharpen={"amount": 0.7, "sigma": 10})
    sigma = np.array([0.5, 2.5, 1.0])
    reach = [2, 8, 3]
    raw = RAW.astype(np.float64) / 255
    smooth = np.pad(raw, [(n, n) for n in reach], mode="reflect")
    for axis, (s, n) in enumerate(zip(sigma, reach, strict=True)):
        weights = np.exp(-0.5 * (np.arange(-n, n + 1) / s) ** 2)
        smooth = np.apply_along_axis(
            np.convolve, axis, smooth, weights / weights.sum(), mode="valid"
        )
    expected = np.clip(raw + 0.7 * (raw - smooth), 0, 1)
    np.testing.assert_allclose(volume.read_raw(volume.roi), expected, atol=1e-5)


def test_a_part_of_sharpened_raw_is_that_part_of_the_whole(tmp_path) -> None:
    save(tmp_path, raw=RAW)
    volume = opened(tmp_path, sharpen={"sigma": 8})
    whole = volume.read_raw(Roi((-3, -3, -3), (14, 16, 18)))
    part = Roi((2, -3, 4), (3, 6, 5))
    np.testing.assert_array_equal(volume.read_raw(part), whole[5:8, 0:6, 7:12])


def test_sections_are_sharpened_by_themselves(tmp_path) -> None:
    changed = RAW.copy()
    changed[3] = 0
    save(tmp_path, raw=RAW)
    save(tmp_path, raw=changed, container="changed.zarr")
    one, other = (
        opened(tmp_path, path=path, sharpen={"in_xy": True}) for path in ("v.zarr", "changed.zarr")
    )
    same = (one.read_raw(one.roi) == other.read_raw(other.roi)).all(axis=(1, 2))
    np.testing.assert_array_equal(same, np.arange(len(RAW)) != 3)
