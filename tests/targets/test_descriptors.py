"""Descriptors against the definition: one label at a time, filters over the whole volume,
float64."""

import multiprocessing
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import cKDTree

from lsd.targets.descriptors import channel_count, descriptors

TOLERANCE = 1e-6


def definition(labels, *, voxel_size, sigma, downsample=1, mode="gaussian"):
    """The definition, written down as it stands."""
    dims = labels.ndim
    cell = np.array(voxel_size, float) * downsample
    sigma = np.broadcast_to(np.array(sigma, float), dims)
    sampled = labels[(slice(None, None, downsample),) * dims]
    x = np.stack(
        np.meshgrid(
            *(np.arange(n) * c for n, c in zip(sampled.shape, cell, strict=True)), indexing="ij"
        )
    )
    window = gaussian_window(sigma / cell) if mode == "gaussian" else ball_window(sigma / cell)
    reach = sigma if mode == "gaussian" else sigma / 2
    diagonal, mixed = (
        [(i, i) for i in range(dims)],
        [(i, j) for i in range(dims) for j in range(i + 1, dims)],
    )
    cells = np.meshgrid(*(np.arange(n) // downsample for n in labels.shape), indexing="ij")
    out = np.zeros((2 * dims + len(mixed) + 1, *labels.shape))
    for label in set(labels.ravel().tolist()) - {0}:
        mask = (sampled == label).astype(float)
        number = window(mask)
        number[number == 0] = 1
        mean = [window(x[i] * mask) / number for i in range(dims)]
        cov = {
            (i, j): window(x[i] * x[j] * mask) / number - mean[i] * mean[j]
            for i, j in diagonal + mixed
        }
        var = [np.maximum(cov[i, i], 1e-3) for i in range(dims)]
        channels = [(mean[i] - x[i]) / reach[i] * 0.5 + 0.5 for i in range(dims)]
        channels += [var[i] / sigma[i] ** 2 for i in range(dims)]
        channels += [cov[i, j] / np.sqrt(var[i] * var[j]) * 0.5 + 0.5 for i, j in mixed]
        here = labels == label
        for channel, values in enumerate([*channels, number]):
            out[channel][here] = values[tuple(c[here] for c in cells)]
    return np.clip(out, 0, 1)


def gaussian_window(sigma):
    return lambda array: ndimage.gaussian_filter(array, sigma, mode="constant", cval=0, truncate=3)


def ball_window(sigma):
    steps = np.meshgrid(*(np.arange(-np.floor(s), np.floor(s) + 1) for s in sigma), indexing="ij")
    ball = (sum((t / s) ** 2 for t, s in zip(steps, sigma, strict=True)) <= 1 + 1e-9).astype(float)
    # whole numbers first: dividing afterwards keeps the reference itself exact
    return lambda array: ndimage.convolve(array, ball, mode="constant") / ball.sum()


def cells(shape, number, *, seed=0, holes=0.05, dtype=np.uint64):
    """Voronoi cells with some background: convex objects that touch."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (number, len(shape))) * shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    labels = (
        (cKDTree(points).query(grid.reshape(-1, len(shape)))[1] + 1).reshape(shape).astype(dtype)
    )
    labels[rng.random(shape) < holes] = 0
    return labels


def noise(shape, number, *, seed=0):
    return np.random.default_rng(seed).integers(0, number, shape)


def check(labels, *, device=None, threads=1, **arguments):
    ours = descriptors(labels, device=device, threads=threads, **arguments)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, definition(labels, **arguments), rtol=0, atol=TOLERANCE)


devices = pytest.mark.parametrize("device", [None, "cpu"])
modes = pytest.mark.parametrize("mode", ["gaussian", "sphere"])


@devices
@modes
@pytest.mark.parametrize("downsample", [1, 2, 3])
@pytest.mark.parametrize("shape", [(18, 21, 20), (31, 26)])
def test_equals_the_definition(shape, downsample, mode, device):
    labels = cells(shape, 6)
    check(
        labels,
        voxel_size=(8,) * len(shape),
        sigma=40,
        downsample=downsample,
        mode=mode,
        device=device,
    )


@devices
@modes
@pytest.mark.parametrize("downsample", [1, 2, 4])
def test_anisotropic(downsample, mode, device):
    labels = cells((10, 22, 25), 5)
    check(
        labels,
        voxel_size=(40, 4.6, 4),
        sigma=(90, 33.3, 20),
        downsample=downsample,
        mode=mode,
        device=device,
    )
    check(
        labels[3],
        voxel_size=(4.6, 4),
        sigma=(33.3, 20),
        downsample=downsample,
        mode=mode,
        device=device,
    )


@devices
@modes
@pytest.mark.parametrize("downsample", [1, 2, 3])
def test_voxels_of_objects_that_the_coarse_samples_miss(downsample, mode, device):
    """Noise: nearly every voxel lies in a cell whose sample is another object's, or that no sample
    is near."""
    labels = noise((11, 10, 13), 60)
    check(labels, voxel_size=(8, 8, 8), sigma=16, downsample=downsample, mode=mode, device=device)


@devices
def test_an_object_without_any_sample(device):
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[4:, 5, 7], labels[::2, ::2, ::2] = 1, 2
    labels[4, 5, 7] = 1
    check(labels, voxel_size=(4, 4, 4), sigma=20, downsample=2, device=device)


@devices
@modes
def test_thin_objects_seen_from_beside(mode, device):
    """Sheets and lines of one sample have no variance; float32 would give them some, and with it
    any correlation."""
    labels = np.zeros((24, 24, 24), np.uint32)
    labels[12, :, :], labels[:, 3, :], labels[:, 20, 5] = 1, 2, 3
    labels[5, 5, 5:20], labels[9, 9, 5:20] = 4, 4
    # two pieces: each voxel's window is dominated by the far sheet
    labels[23, ::9, ::9] = 1
    check(labels, voxel_size=(8, 8, 8), sigma=40, mode=mode, device=device)
    labels[11, 1::2, 1::2] = 1
    check(labels, voxel_size=(8, 8, 8), sigma=60, downsample=2, mode=mode, device=device)


@pytest.mark.parametrize("shape", [(6, 75, 70), (70, 9, 40), (5, 7, 150), (150, 40)])
@pytest.mark.parametrize("downsample", [1, 2])
def test_objects_larger_than_a_tile(shape, downsample):
    labels = cells(shape, 3, holes=0.3)
    check(labels, voxel_size=(8,) * len(shape), sigma=32, downsample=downsample)
    check(labels, voxel_size=(8,) * len(shape), sigma=32, downsample=downsample, device="cpu")


@pytest.mark.parametrize("mode", ["gaussian", "sphere"])
def test_windows_wider_than_the_volume(mode):
    check(cells((5, 4, 6), 3), voxel_size=(8, 8, 8), sigma=64, mode=mode)


def test_windows_of_one_voxel():
    check(cells((9, 8, 12), 3), voxel_size=(8, 8, 8), sigma=1)


@devices
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integers(dtype, device):
    labels = cells((12, 11, 13), 5)
    expected = descriptors(labels, voxel_size=(8, 8, 8), sigma=30)
    ids = np.array([0, *(np.iinfo(dtype).max - i for i in range(5))], dtype)
    np.testing.assert_array_equal(
        descriptors(ids[labels], voxel_size=(8, 8, 8), sigma=30, device=device), expected
    )


def test_strides_of_any_kind():
    labels = cells((12, 11, 13), 5)
    expected = descriptors(labels, voxel_size=(8, 8, 8), sigma=30)
    np.testing.assert_array_equal(
        descriptors(np.asfortranarray(labels), voxel_size=(8, 8, 8), sigma=30), expected
    )
    turned = descriptors(labels[::-1], voxel_size=(8, 8, 8), sigma=30)[:, ::-1]
    np.testing.assert_allclose(1 - turned[0][labels > 0], expected[0][labels > 0], atol=1e-6)
    np.testing.assert_allclose(
        turned[[1, 2, 3, 4, 5, 8, 9]], expected[[1, 2, 3, 4, 5, 8, 9]], atol=1e-6
    )


@devices
@pytest.mark.parametrize(
    ("dims", "components"), [(3, "0129"), (3, "9"), (3, "678"), (3, "930"), (2, "015"), (2, "4")]
)
def test_components_are_channels(dims, components, device):
    labels = cells((12, 11, 13)[:dims], 5)
    arguments = {"voxel_size": (8,) * dims, "sigma": 30, "downsample": 2}
    some = descriptors(labels, components=components, device=device, **arguments)
    np.testing.assert_array_equal(
        some, descriptors(labels, **arguments)[[int(c) for c in components]]
    )
    assert len(some) == channel_count(dims, components)


@devices
def test_background_is_zero(device):
    labels = cells((12, 11, 13), 5, holes=0.5)
    assert not descriptors(labels, voxel_size=(8, 8, 8), sigma=30, device=device)[
        :, labels == 0
    ].any()
    assert not descriptors(
        np.zeros((4, 5, 6), np.uint64), voxel_size=(8, 8, 8), sigma=30, device=device
    ).any()


def test_labels_without_a_voxel():
    for shape in ((0, 4), (4, 0), (2, 0, 3)):
        found = descriptors(np.zeros(shape, np.uint8), voxel_size=8, sigma=16)
        assert found.shape == ({2: 6, 3: 10}[len(shape)], *shape)


def test_labels_are_not_touched():
    labels = cells((12, 11, 13), 5)
    labels.setflags(write=False)
    descriptors(labels, voxel_size=(8, 8, 8), sigma=30)


@modes
def test_threads_change_nothing(mode):
    labels = cells((20, 50, 45), 12)
    one, many = (
        descriptors(
            labels, voxel_size=(8, 8, 8), sigma=30, downsample=2, mode=mode, threads=threads
        )
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, many)


def _in_a_child(labels):
    return descriptors(labels, voxel_size=(8, 8, 8), sigma=30, threads=2)


def test_works_in_forked_workers():
    """Data loaders fork after their parent has computed."""
    labels = cells((12, 40, 40), 5)
    expected = _in_a_child(labels)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(
            pool.apply_async(_in_a_child, (labels,)).get(timeout=60), expected
        )


def test_memory_beyond_the_output_is_bounded():
    labels = cells((64, 64, 64), 20)
    descriptors(labels, voxel_size=(8, 8, 8), sigma=30)
    tracemalloc.start()
    out = descriptors(labels, voxel_size=(8, 8, 8), sigma=30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out.nbytes < out.nbytes


@pytest.mark.filterwarnings("ignore:sigma of", "ignore:downsample=")
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_volume(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    arguments = {
        "voxel_size": tuple(data.draw(st.floats(4, 50)) for _ in shape),
        "sigma": tuple(data.draw(st.floats(1, 100)) for _ in shape),
        "downsample": data.draw(st.integers(1, 4)),
    }
    labels = noise(shape, data.draw(st.integers(1, 6)), seed=data.draw(st.integers(0, 100)))
    ours = descriptors(labels, threads=1, **arguments)
    np.testing.assert_allclose(ours, definition(labels, **arguments), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"voxel_size": (8, 8)}, "voxel_size has one positive number an axis"),
        ({"sigma": (8, 8)}, "sigma has one positive number an axis"),
        ({"sigma": -1}, "sigma has one positive"),
        ({"downsample": 0}, "downsample is a whole number, 1 or more"),
        ({"components": "a"}, "there are: 0123456789"),
        ({"components": "00"}, "each once"),
        ({"components": ""}, "there are"),
        ({"mode": "cube"}, "gaussian, sphere"),
        ({"labels": np.zeros((4, 4, 4))}, "whole numbers"),
        ({"labels": np.zeros((4, 4, 4, 4), int)}, "2D or 3D"),
        ({"labels": np.full((4, 4, 4), -1)}, "got -1"),
    ],
)
def test_says_what_is_wrong(wrong, message):
    arguments = {"labels": np.ones((4, 4, 4), int), "voxel_size": (8, 8, 8), "sigma": 30} | wrong
    with pytest.raises(ValueError, match=message):
        descriptors(arguments.pop("labels"), **arguments)
