from math import pi

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy.ndimage import affine_transform, map_coordinates

from lsd import spec
from lsd.batches.augmentations import elastic, sampling
from lsd.batches.augmentations.augmentation import augmentation_kind, runs
from lsd.batches.augmentations.deform import Deform
from lsd.batches.augmentations.warp import draw_warp

CUBE = (1.0, 1.0, 1.0)
STILL = spec.Elastic(rotation=(0, 0))
WILD = spec.Elastic(
    spacing=(7, 8, 9),
    jitter=(1, 2, 1.5),
    isotropic=True,
    subsample=5,
    slip=0.2,
    shift=0.2,
    misalign=4,
)


def warp(*augmentations, roi, seed=0, voxel_size=CUBE, flat=False):
    kinds = [augmentation_kind(augmentation) for augmentation in augmentations]
    node = Deform(kinds, voxel_size=voxel_size, flat=flat)
    return draw_warp(node.draws, roi, np.random.default_rng(seed), every=node.every)


def groups(augmentations):
    """Those that become one."""
    kinds = [augmentation_kind(augmentation) for augmentation in augmentations]
    return [[kind.spec for kind in run] for run in runs(kinds)]


def read(warped, roi, data_of, *, interpolate):
    """`roi` of the warp, from data_of(roi)."""
    source = warped.source_roi(roi)
    return warped.read(data_of(source), source, roi, interpolate=interpolate)


def noise_of(source):
    """A volume without end: a number for each place."""
    grid = np.meshgrid(
        *(np.arange(b, e) for b, e in zip(source.begin, source.end, strict=True)), indexing="ij"
    )
    return np.abs(np.sin(grid[0] * 12.9 + grid[1] * 78.2 + grid[2] * 37.7)).astype(np.float32)


def ids_of(source):
    """Ids beyond what float64 can tell apart, a different one for each place."""
    grid = np.meshgrid(
        *(np.arange(b, e) for b, e in zip(source.begin, source.end, strict=True)), indexing="ij"
    )
    return np.uint64(2**63 + 1) + (
        (grid[0] + 500) * 10**6 + (grid[1] + 500) * 1000 + grid[2] + 500
    ).astype(np.uint64)


def matrix_of(turn, *, seed, voxel_size):
    kind = augmentation_kind(turn)
    return kind.draw(np.random.default_rng(seed), voxel_size=voxel_size, flat=False).matrix


def points(warped, roi):
    """Where each voxel of roi is read, by scipy."""
    inside = np.indices(roi.shape) + np.reshape(roi.begin - warped.roi.begin, (3, 1, 1, 1))
    at = inside / np.reshape(warped.step, (3, 1, 1, 1))
    smooth = np.stack(
        [map_coordinates(nodes, at, order=1, mode="nearest") for nodes in warped.nodes]
    )
    for axis, shifts in enumerate(warped.shifts):
        smooth += shifts[inside[axis]].transpose(3, 0, 1, 2)
    return smooth


@pytest.mark.parametrize("shape", [(17, 16, 25), (1, 16, 9), (8, 1, 1)])
@pytest.mark.parametrize("subsample", [1, 8, 10])
def test_no_deformation_changes_nothing(shape, subsample):
    roi = Roi((3, -4, 5), shape)
    still = warp(STILL.derive(subsample=subsample), roi=roi)
    source = still.source_roi(roi)
    assert source.shape == roi.shape
    np.testing.assert_array_equal(read(still, roi, noise_of, interpolate=True), noise_of(source))
    np.testing.assert_array_equal(read(still, roi, ids_of, interpolate=False), ids_of(source))


@pytest.mark.parametrize("seed", range(4))
def test_rotation_is_that_of_scipy(seed):
    roi = Roi((0, 0, 0), (20, 21, 22))
    turn = spec.Elastic(rotation=(0.2, 1.4), isotropic=True)
    turned = warp(turn, roi=roi, seed=seed)
    source = turned.source_roi(roi)
    matrix = matrix_of(turn, seed=seed, voxel_size=CUBE)
    centre = (np.asarray(roi.shape) - 1) / 2
    offset = centre - matrix @ centre - np.asarray(source.begin)
    expected = affine_transform(
        noise_of(source), matrix, offset=offset, output_shape=roi.shape, order=1
    )
    np.testing.assert_allclose(read(turned, roi, noise_of, interpolate=True), expected, atol=1e-4)


def test_a_quarter_turn_of_anisotropic_voxels_is_a_turn_in_nanometres():
    turn = spec.Elastic(rotation=(pi / 2, pi / 2))
    matrix = matrix_of(turn, seed=0, voxel_size=(40.0, 8.0, 4.0))
    np.testing.assert_allclose(np.abs(matrix), [[1, 0, 0], [0, 0, 0.5], [0, 2, 0]], atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "roi",
    [Roi((0, 0, 0), (23, 24, 31)), Roi((4, 7, 11), (9, 8, 7)), Roi((22, 0, 3), (1, 1, 1))],
    ids=str,
)
def test_a_wild_warp_reads_what_scipy_reads(roi, seed):
    wild = warp(WILD, spec.Simple(), roi=Roi((0, 0, 0), (23, 24, 31)), seed=seed)
    at = points(wild, roi)
    source = wild.source_roi(roi)
    begin = np.reshape(source.begin, (3, 1, 1, 1))
    expected = map_coordinates(noise_of(source), at - begin, order=1, mode="nearest")
    np.testing.assert_allclose(read(wild, roi, noise_of, interpolate=True), expected, atol=1e-3)
    nearest = ids_of(source)[tuple(np.floor(at - begin + 0.5).astype(int))]
    same = read(wild, roi, ids_of, interpolate=False) == nearest
    # points are float32: one that lies between two voxels may fall to either
    assert same[np.abs(at % 1 - 0.5).min(axis=0) > 1e-3].all()


@pytest.mark.parametrize("seed", range(3))
def test_it_asks_for_what_it_reads_and_little_more(seed):
    wild = warp(spec.Simple(), WILD, roi=Roi((0, 0, 0), (23, 24, 31)), seed=seed)
    roi = Roi((3, 4, 5), (15, 16, 17))
    at, source = points(wild, roi).reshape(3, -1), wild.source_roi(roi)
    assert (at.min(axis=1) >= np.asarray(source.begin) - 2e-3).all()
    assert (at.max(axis=1) <= np.asarray(source.end) - 1 + 2e-3).all()
    # a section that is displaced counts wherever it would matter most
    assert (at.min(axis=1) - np.asarray(source.begin) < 2 + WILD.misalign * 6).all()


def test_uint8_becomes_zero_to_one():
    roi = Roi((0, 0, 0), (3, 4, 5))
    raw = np.arange(60, dtype=np.uint8).reshape(3, 4, 5) * 4
    np.testing.assert_allclose(
        read(warp(STILL, roi=roi), roi, lambda _: raw, interpolate=True), raw / 255, atol=1e-7
    )


@pytest.mark.parametrize("seed", range(5))
def test_simple_in_a_warp_is_exact(seed):
    """Odd and even extents change places."""
    roi = Roi((2, 3, 4), (6, 7, 9))
    turned = warp(spec.Simple(), STILL, spec.Simple(), roi=roi, seed=seed)
    source = turned.source_roi(roi)
    assert sorted(source.shape) == sorted(roi.shape)
    ids = read(turned, roi, ids_of, interpolate=False)
    assert set(ids.ravel()) == set(ids_of(source).ravel())
    np.testing.assert_array_equal(
        read(turned, roi, lambda s: ids_of(s).astype(np.float32) % 97, interpolate=True),
        ids.astype(np.float32) % 97,
    )


def test_raw_and_labels_move_alike():
    roi = Roi((0, 0, 0), (24, 24, 24))
    moved = warp(
        spec.Elastic(jitter=(1, 1, 1), spacing=(12, 12, 12), isotropic=True),
        spec.Simple(),
        roi=roi,
        seed=5,
    )

    def halves(source):
        z = np.arange(source.begin[0], source.end[0]).reshape(-1, 1, 1)
        return np.broadcast_to(z >= 11, source.shape)

    labels = read(moved, roi, lambda s: halves(s).astype(np.uint64), interpolate=False)
    raw = read(moved, roi, lambda s: halves(s).astype(np.float32), interpolate=True)
    assert 0.1 < labels.mean() < 0.9
    np.testing.assert_array_equal(labels, raw > 0.5)


def test_labels_of_an_inner_part_do_not_depend_on_the_rest():
    whole, part = Roi((0, 0, 0), (23, 24, 31)), Roi((5, 6, 7), (9, 10, 11))
    wild = warp(WILD, roi=whole)
    everywhere = read(wild, whole, ids_of, interpolate=False)
    np.testing.assert_array_equal(
        read(wild, part, ids_of, interpolate=False), everywhere[part.to_slices()]
    )


def test_slipped_sections_move_alone_and_shifted_ones_with_all_that_follow():
    slips = elastic.displaced_sections(
        spec.Elastic(slip=0.3, misalign=3), 200, np.random.default_rng(0)
    )
    assert 30 < (slips != 0).any(axis=1).sum() < 90
    shifts = elastic.displaced_sections(
        spec.Elastic(shift=0.1, misalign=3), 200, np.random.default_rng(0)
    )
    assert 5 < (np.diff(shifts, axis=0) != 0).any(axis=1).sum() < 40
    for moved in (slips, shifts):
        assert not moved[:, 0].any()
        np.testing.assert_array_equal(moved, moved.round())
    assert np.abs(slips).max() == 3


@pytest.mark.parametrize("kind", ["slip", "shift"])
def test_sections_are_misaligned_in_all_directions_alike(kind):
    """Each whole number of voxels up to misalign, to either side and along either axis, is as
    likely, by itself."""
    moved = elastic.displaced_sections(
        spec.Elastic(**{kind: 1.0}, misalign=2), 5000, np.random.default_rng(0)
    )
    steps = moved if kind == "slip" else np.diff(moved, axis=0, prepend=0)
    assert not steps[:, 0].any()
    pairs, counts = np.unique(steps[:, 1:], axis=0, return_counts=True)
    np.testing.assert_array_equal(pairs, [(y, x) for y in range(-2, 3) for x in range(-2, 3)])
    assert ((counts - 200) ** 2 / 200).sum() < 52  # chi-square of 24 degrees: one in a thousand


def test_a_warp_of_serial_sections_moves_them_in_all_directions():
    """What is read of a section lies on all sides of where it would be, in the labels as in raw."""
    displaced, roi = spec.Elastic(rotation=(0, 0), slip=1.0, misalign=3), Roi((0, 0, 0), (60, 9, 9))
    moved = warp(displaced, roi=roi)
    ids = read(moved, roi, ids_of, interpolate=False) - np.uint64(2**63 + 1)
    still = ids_of(roi) - np.uint64(2**63 + 1)
    for unit in (1000, 1):  # of ids along y, and x
        by = (ids // np.uint64(unit) % np.uint64(1000)).astype(int) - (
            still // np.uint64(unit) % np.uint64(1000)
        ).astype(int)
        by = by[:, 4, 4] - round(
            float(np.mean([by.max(), by.min()]))
        )  # input points count from the beginning of the input
        assert set(by) == set(range(-3, 4))
        assert abs(np.mean(by > 0) - np.mean(by < 0)) < 0.35


@pytest.mark.parametrize("transpose", ["", "zy"])
def test_sections_are_those_of_the_data_after_it_is_turned(transpose):
    displaced = spec.Elastic(rotation=(0, 0), slip=0.5, misalign=5)
    roi = Roi((0, 0, 0), (12, 12, 12))
    turned = [
        warp(displaced, spec.Simple(mirror="", transpose=transpose), roi=roi, seed=seed)
        for seed in range(8)
    ]
    along = {tuple(bool(shift.any()) for shift in one.shifts) for one in turned}
    assert along == (
        {(True, False, False), (False, True, False)} if transpose else {(True, False, False)}
    )


def test_sections_of_2d_networks_stay_in_their_plane():
    roi = Roi((0, 0, 0), (1, 40, 40))
    bent = warp(WILD, spec.Simple(), roi=roi, flat=True)
    assert bent.source_roi(roi).shape[0] == 1
    assert bent.source_roi(roi).shape != roi.shape
    assert not any(shift.any() for shift in bent.shifts)


def test_smooth_noise_passes_through_normal_numbers():
    at = np.stack(np.meshgrid(*[np.arange(0, 200, 10.0)] * 3, indexing="ij"))
    values = elastic.spline_noise(at, spacing=(10, 10, 10), sigma=3.0, rng=np.random.default_rng(0))
    assert values.std() == pytest.approx(3, rel=0.05)
    near = elastic.spline_noise(
        at / 100, spacing=(10, 10, 10), sigma=3.0, rng=np.random.default_rng(0)
    )
    assert near.std() < 1


def test_runs_of_geometric_augmentations_become_one_warp():
    slips = STILL.derive(slip=0.1, misalign=1)
    simple, intensity = spec.Simple(), spec.Intensity()
    assert groups([STILL, simple, slips, intensity]) == [[STILL, simple, slips], [intensity]]
    assert groups([slips, simple, STILL, slips]) == [[slips, simple], [STILL, slips]]
    assert groups([intensity, simple]) == [[intensity], [simple]]
    assert groups([]) == []


def test_points_beyond_the_array_read_its_border():
    data = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    nodes = np.full((3, 1, 1, 1), 50.0)
    still = tuple(np.zeros((1, 3), np.float32) for _ in range(3))
    for place, value in ((50.0, 7), (-50.0, 0)):
        for sample in (sampling.sample_linear, sampling.sample_nearest):
            out = np.empty((1, 1, 1), np.float32)
            sample(data, nodes * place / 50, (1, 1, 1), (0, 0, 0), still, out)
            assert out[0, 0, 0] == value
