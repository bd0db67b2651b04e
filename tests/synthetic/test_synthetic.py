import hashlib

import cc3d
import numpy as np
import pytest
from scipy import ndimage

from lsd.spec import Synthetic
from lsd.synthetic import synthesize
from lsd.synthetic.capsules import Capsules, along, join, nearest_two
from lsd.synthetic.labels import connected, pieces_of_bodies
from lsd.synthetic.noise import gaussian_blur, smooth_noise

RAW, IDS, MITO = "volumes/raw", "volumes/labels/neuron_ids", "volumes/labels/mitochondria"
ISOTROPIC = Synthetic(shape=(64, 64, 64), seed=5)
ANISOTROPIC = Synthetic(kind="anisotropic", shape=(16, 96, 96), voxel_size=(40, 6, 6), seed=6)
TINY = Synthetic(shape=(20, 17, 24), voxel_size=(16, 16, 16), seed=3)


@pytest.fixture(scope="module", params=[ISOTROPIC, ANISOTROPIC], ids=lambda spec: spec.kind)
def volume(request):
    return request.param, synthesize(request.param)


@pytest.fixture(scope="module")
def isotropic():
    return synthesize(ISOTROPIC)


def _digest(arrays) -> str:
    return hashlib.sha256(
        b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    ).hexdigest()[:16]


def _borders(labels, axes=(0, 1, 2)) -> np.ndarray:
    """Voxels one of whose face neighbours has another id."""
    found = np.zeros(labels.shape, bool)
    for axis in axes:
        here, there = np.moveaxis(found, axis, 0), np.moveaxis(labels, axis, 0)
        differ = there[1:] != there[:-1]
        here[1:] |= differ
        here[:-1] |= differ
    return found


def test_arrays(volume) -> None:
    spec, arrays = volume
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        RAW: "uint8",
        IDS: "uint64",
        MITO: "uint64",
    }
    assert all(array.shape == spec.shape and array.flags.c_contiguous for array in arrays.values())


def test_same_seed_same_volume() -> None:
    once, again = synthesize(TINY), synthesize(TINY)
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert _digest(synthesize(TINY.derive(seed=-4))) != _digest(once)


def test_ids_are_dense_and_connected(volume) -> None:
    labels = volume[1][IDS]
    count = int(labels.max())
    assert np.array_equal(np.unique(labels), np.arange(1, count + 1))
    assert cc3d.connected_components(labels, connectivity=6).max() == count
    assert np.bincount(labels.ravel())[1:].min() >= 100


def test_calibres_spread(isotropic) -> None:
    labels = isotropic[IDS]
    sizes = np.sort(np.bincount(labels.ravel())[1:])
    assert 15 < len(sizes) < 150
    assert sizes[-1] > 20 * np.median(sizes)
    assert sizes[-1] < 0.6 * labels.size
    # the widest ball that fits inside each: thin axons to thick dendrites, in voxels of 10 nm
    depth = ndimage.distance_transform_edt(~_borders(labels))
    widest = np.array(ndimage.maximum(depth, labels, np.arange(1, len(sizes) + 1)))
    assert np.percentile(widest, 20) < 4 < 12 < widest.max()


def test_neurites_run_through(isotropic) -> None:
    """Not a foam: many ids are much longer than wide."""
    labels = isotropic[IDS]
    long = 0
    for index, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        extent = max(side.stop - side.start for side in box)
        long += extent > 4 * np.sqrt((labels[box] == index).sum() / extent)
    assert long > 0.2 * labels.max()


def test_membranes_are_dark(volume) -> None:
    spec, arrays = volume
    labels, mito, raw = arrays[IDS], arrays[MITO] > 0, arrays[RAW].astype(float)
    border = _borders(labels, (0, 1, 2) if spec.kind == "isotropic" else (1, 2))
    inside = ~ndimage.binary_dilation(border, iterations=3) & ~mito
    # section by section, since sections of serial sectioning differ in brightness
    darker = [
        s[i].mean() - s[b].mean() for s, i, b in zip(raw, inside, border, strict=True) if s.any()
    ]
    assert np.median(darker) > 25
    # and all around: hardly any piece of border is as bright as the inside
    assert (raw[border] > np.median(raw[inside])).mean() < 0.05


def test_intensity_alone_does_not_tell(isotropic) -> None:
    """Mitochondria and dark neurites are as dark as membranes."""
    border, raw = _borders(isotropic[IDS]), isotropic[RAW]
    assert (raw[~ndimage.binary_dilation(border)] < np.percentile(raw[border], 75)).mean() > 0.1


def test_mitochondria_lie_inside(volume) -> None:
    _, arrays = volume
    mito, labels = arrays[MITO] > 0, arrays[IDS]
    assert 0.02 < mito.mean() < 0.25
    for axis in (1, 2):
        here, ids = np.moveaxis(mito, axis, 0), np.moveaxis(labels, axis, 0)
        assert (ids[1:] == ids[:-1])[here[1:] & here[:-1]].all()
    raw = arrays[RAW].astype(float)
    assert raw[mito].mean() < raw[~mito].mean() - 15


def test_sections_differ_in_brightness() -> None:
    isotropic, anisotropic = (synthesize(spec)[RAW] for spec in (ISOTROPIC, ANISOTROPIC))
    jumps = [float(np.abs(np.diff(raw.mean((1, 2)))).mean()) for raw in (isotropic, anisotropic)]
    assert jumps[1] > 5 * jumps[0]


def test_calibres_are_in_nanometres() -> None:
    """At twice the voxel size the same shape holds more of the same tissue."""
    fine, coarse = (
        synthesize(Synthetic(shape=(40, 40, 40), voxel_size=(s, s, s), seed=2))[IDS].max()
        for s in (8, 24)
    )
    assert coarse > 2 * fine


@pytest.mark.parametrize("shape", [(16, 16, 16), (17, 31, 16)])
def test_small_shapes(shape) -> None:
    arrays = synthesize(Synthetic(shape=shape, seed=1))
    assert arrays[IDS].shape == shape
    assert arrays[IDS].min() == 1


@pytest.mark.parametrize(
    ("field", "value"), [("shape", (64, 64)), ("shape", (64, 64, 8)), ("voxel_size", (4.0, 4.0))]
)
def test_refuses(field, value) -> None:
    with pytest.raises(ValueError, match="synthetic volume"):
        synthesize(ISOTROPIC.derive(**{field: value}))


def test_nearest_two_matches_brute_force() -> None:
    rng = np.random.default_rng(0)
    paths = [rng.uniform(0, 60, (4, 3)) for _ in range(5)]
    capsules = join([along(path, rng.uniform(2, 8, 4), owner) for owner, path in enumerate(paths)])
    size = (6.0, 5.0, 4.0)
    positions = (
        np.indices((9, 11, 13), dtype=np.float32) * np.array(size, np.float32)[:, None, None, None]
    )
    positions += rng.uniform(-3, 3, positions.shape).astype(np.float32)
    found = nearest_two(capsules, positions, voxel_size=size, reach=500.0)
    distances = np.full((5, *positions.shape[1:]), np.inf)
    for begin, end, radius, owner in zip(
        capsules.begin, capsules.end, capsules.radius, capsules.owner, strict=True
    ):
        offset = np.moveaxis(positions, 0, -1) - begin
        along_it = np.clip(offset @ (end - begin) / ((end - begin) ** 2).sum(), 0, 1)
        away = np.linalg.norm(offset - along_it[..., None] * (end - begin), axis=-1)
        away -= radius[0] + along_it * (radius[1] - radius[0])
        distances[owner] = np.minimum(distances[owner], away)
    ordered = np.sort(distances, axis=0)
    np.testing.assert_allclose(found.first, ordered[0], atol=1e-3)
    np.testing.assert_allclose(found.second, ordered[1], atol=1e-3)
    assert np.array_equal(found.owner, distances.argmin(0))


def test_nearest_two_of_nothing() -> None:
    positions = np.indices((3, 3, 3), dtype=np.float32)
    found = nearest_two(join([]), positions, voxel_size=(1, 1, 1), reach=5.0)
    assert isinstance(join([]), Capsules)
    assert (found.owner == -1).all()


def test_small_pieces_join_the_neighbour_with_most_contact() -> None:
    owners = np.zeros((1, 12, 12), np.int32)
    owners[:, :, 6:] = 1
    owners[:, 4:6, 4:6] = 2  # more faces towards 0 than towards 1
    owners[:, 0, 11] = 0  # a piece of owner 0 apart from it
    assert np.array_equal(connected(owners, smallest=5)[0, 0, [0, 11]], [1, 2])
    assert np.array_equal(connected(owners, smallest=5) == 1, np.indices(owners.shape)[2] < 6)


def test_smooth_noise_is_normal_and_smooth() -> None:
    noise = smooth_noise(np.random.default_rng(0), (60, 60, 60), spacing=(5.0, 5.0, 1.0))
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1, abs=0.08)
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1]) < 0.05


def test_blur_matches_scipy() -> None:
    field = np.random.default_rng(0).standard_normal((8, 9, 10)).astype(np.float32)
    expected = ndimage.gaussian_filter(field, (0, 1.0, 0.7), truncate=3.0, mode="reflect")
    np.testing.assert_allclose(gaussian_blur(field, (0, 1.0, 0.7)), expected, atol=2e-2)


def test_mitochondria_are_told_apart(volume) -> None:
    """Ids 1..n, each one 6-connected piece or a body with what was cut off of it, within one
    neuron; pieces of two ids never touch within a neuron, since nothing is drawn between them."""
    mito, labels = volume[1][MITO], volume[1][IDS]
    count = int(mito.max())
    assert np.array_equal(np.unique(mito), np.arange(count + 1))
    assert count >= 5
    for index in range(1, count + 1):
        assert len(np.unique(labels[mito == index])) == 1
    for axis in range(3):
        here, ids = np.moveaxis(mito, axis, 0), np.moveaxis(labels, axis, 0)
        both = (here[1:] > 0) & (here[:-1] > 0) & (ids[1:] == ids[:-1])
        assert (here[1:] == here[:-1])[both].all()
    pieces = cc3d.connected_components(np.where(mito > 0, labels, 0), connectivity=6)
    assert count <= pieces.max() <= count + 2


def test_raw_neurons_and_the_mask_of_mitochondria_are_those_of_before() -> None:
    """By version 1 of the generator, whose mask of mitochondria did not tell them apart."""
    arrays = synthesize(TINY)
    mask = (arrays[MITO] > 0).astype(np.uint8)
    assert _digest({**arrays, MITO: mask}) == "7e4f1b34bbab55aa"
    tiny = Synthetic(kind="anisotropic", shape=(5, 33, 40), voxel_size=(40, 8, 8), seed=3)
    arrays = synthesize(tiny)
    mask = (arrays[MITO] > 0).astype(np.uint8)
    assert _digest({**arrays, MITO: mask}) == "5f10908f9a01c5cb"


def test_what_is_cut_off_of_a_body_stays_a_part_of_it() -> None:
    bodies = np.array([[[1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3]]], np.int32)
    neurons = np.ones(bodies.shape, np.uint64)
    inside = np.array([[[1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1]]], bool)
    # 1 and 2 touch, and are one with what is left of 1 beyond the gap; of the two crumbs of 3, the
    # first
    assert pieces_of_bodies(inside, neurons, bodies, smallest=4).tolist() == [
        [[1, 1, 1, 1, 0, 1, 1, 1, 0, 2, 0, 2]]
    ]
    # large enough to stand alone
    assert pieces_of_bodies(inside, neurons, bodies, smallest=1).max() == 4
    # bodies of two neurons that touch are two
    neurons[..., 6:] = 2
    found = pieces_of_bodies(inside, neurons, bodies, smallest=1)
    assert found[0, 0, 5] != found[0, 0, 6]
    assert not pieces_of_bodies(np.zeros_like(inside), neurons, bodies).any()
