"""Which sections and windows are shown, against brute force."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.report import shown
from lsd.report.shown import evenly, most, windows
from lsd.spec import Evaluate, Volume
from lsd.volumes.create import create_array
from lsd.volumes.source import Source
from lsd.volumes.volume import open_volume

OFFSET = (7, -5, 3)


def _volume(folder, labels, mask=None, **options):
    dims = labels.ndim
    roi = Roi(OFFSET[-dims:], labels.shape)
    arrays = {"raw": np.zeros(labels.shape, np.uint8), "labels": labels.astype(np.uint64)}
    arrays |= {} if mask is None else {"mask": mask.astype(np.uint8)}
    for name, data in arrays.items():
        chunks = (8,) * dims
        create_array(
            folder / "v.zarr",
            name,
            roi=roi,
            voxel_size=(8,) * dims,
            dtype=data.dtype,
            chunks=chunks,
        ).write(data, roi)
    given = Volume(
        path="v.zarr",
        raw="raw",
        labels="labels",
        labels_mask=None if mask is None else "mask",
        **options,
    )
    return open_volume(given, name="v", data_root=folder), roi


def _held(truth, roi, window):
    return int(truth[(window - roi.begin).to_slices()].sum())


def _best(truth, size):
    """The most that a window of any section holds, section by section."""
    size = [min(size, n) for n in truth.shape[-2:]]
    return (
        np.lib.stride_tricks.sliding_window_view(truth, size, axis=(-2, -1))
        .sum(axis=(-2, -1))
        .max(axis=(-2, -1))
    )


def test_fifty_labelled_sections_of_250(tmp_path):
    labels = np.zeros((250, 12, 12), np.uint64)
    labels[101:151] = 5
    volume, roi = _volume(tmp_path, labels)
    assert [window.begin[0] - roi.begin[0] for window in evenly(roi, rows=2, size=12)] == [62, 187]
    found = [
        window.begin[0] - roi.begin[0]
        for window in windows(volume, roi, Evaluate(), rows=2, size=12)
    ]
    assert found == [113, 138]  # a quarter and three quarters of them


@pytest.mark.parametrize("every", [3, 7])
def test_sections_labelled_here_and_there(tmp_path, every):
    labels = np.zeros((40, 10, 30), np.uint64)
    labels[1::every] = 1
    labels[1::every, :, ::2] *= (
        np.arange(0, 40, every)[: len(labels[1::every]), None, None] % 2 > 0
    )  # of some, half
    volume, roi = _volume(tmp_path, labels)
    found = windows(volume, roi, Evaluate(), rows=2, size=64)
    assert len({window.begin[0] for window in found}) == 2
    for window in found:
        assert _held(labels > 0, roi, window) == (labels > 0).sum(axis=(1, 2)).max()


@pytest.mark.parametrize("options", ["mask", "no mask", "unknown"])
def test_windows_hold_the_most_of_their_section(tmp_path, options):
    rng = np.random.default_rng(0)
    mask = np.zeros((12, 70, 90), bool)
    mask[3, 40:60, 5:20] = mask[8, 3:30, 60:88] = True
    mask &= rng.random(mask.shape) < 0.8
    labels = np.where(mask, 4, 0 if options == "unknown" else 3)
    settings = Evaluate(use_mask=options == "mask", ignore=(0,) if options != "no mask" else (0, 3))
    volume, roi = _volume(
        tmp_path,
        labels,
        mask if options == "mask" else None,
        **({"unknown": 0} if options == "unknown" else {}),
    )
    first, second = windows(volume, roi, settings, rows=2, size=24)
    assert {first.begin[0] - roi.begin[0], second.begin[0] - roi.begin[0]} <= {3, 8}
    for window in (first, second):
        assert window.shape == (1, 24, 24)
        assert _held(mask, roi, window) == _best(mask, 24)[window.begin[0] - roi.begin[0]] > 0


def test_a_2d_volume_has_one_window(tmp_path):
    labels = np.zeros((50, 80), np.uint64)
    labels[33:48, 61:78] = 1
    volume, roi = _volume(tmp_path, labels)
    (window,) = windows(volume, roi, Evaluate(), rows=2, size=20)
    assert window.shape == (20, 20)
    assert _held(labels > 0, roi, window) == 15 * 17


def test_large_sections_are_searched_coarsely(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "PLACES", 10)
    labels = np.zeros((6, 100, 95), np.uint64)
    labels[2, 80:96, 7:20] = 1
    volume, roi = _volume(tmp_path, labels)
    (window,) = windows(volume, roi, Evaluate(), rows=2, size=40)
    assert _held(labels > 0, roi, window) == 16 * 13


def test_dense_truth_is_shown_as_ever_and_not_searched(tmp_path, monkeypatch):
    labels = np.random.default_rng(0).integers(0, 5, (20, 40, 40))
    volume, roi = _volume(tmp_path, labels)
    read, original = [], Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(slices) or original(self, slices)
    )
    assert windows(volume, roi, Evaluate(), rows=2, size=16) == evenly(roi, rows=2, size=16)
    assert [window.begin[0] - roi.begin[0] for window in evenly(roi, rows=2, size=16)] == [5, 15]
    assert len(read) == 2


def test_nothing_scored_is_shown_in_the_middle(tmp_path):
    volume, roi = _volume(tmp_path, np.zeros((9, 9, 9), np.uint64))
    assert windows(volume, roi, Evaluate(), rows=2, size=4) == evenly(roi, rows=2, size=4)
    assert windows(volume, roi, Evaluate(ignore=()), rows=2, size=4) == evenly(roi, rows=2, size=4)


def test_shares_by_hand():
    assert most(np.array([0, 5, 5, 5, 5, 0]), 2) == [1, 3]
    assert most(np.array([1, 9, 1, 1, 8, 1]), 2) == [1, 4]
    assert most(np.array([0, 0, 7, 0]), 2) == [2]
    assert most(np.array([0, 0]), 2) == []
