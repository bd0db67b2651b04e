"""Windows around an object: where they lie, what their mean is, and which are asked for."""

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi

from lsd.objects.instance import instance_at
from lsd.objects.seeds import Seed
from lsd.objects.windows import Lattice, Seen, weights

LIMIT = Roi((4, -6, 0), (60, 64, 70))
ONE = Coordinate((1, 1, 1))


def lattice(box, voxel, window=(16, 16, 16), overlap=0.25, step=ONE, limit=LIMIT, room=None):
    return Lattice.around(
        Roi(*box),
        Coordinate(voxel),
        window=Coordinate(window),
        overlap=overlap,
        step=Coordinate(step),
        limit=limit,
        room=room,
    )


def test_the_first_window_holds_the_box() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = rng.integers(1, 17, 3)
        begin = rng.integers(LIMIT.begin, np.array(LIMIT.end) - shape, endpoint=True)
        voxel = rng.integers(begin, begin + shape)
        window = lattice((begin.tolist(), shape.tolist()), voxel.tolist()).roi((0, 0, 0))
        assert window.contains(Roi(begin.tolist(), shape.tolist()))
        assert LIMIT.contains(window)


def test_windows_begin_at_multiples_of_the_step_and_hold_the_voxel() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        begin, shape = rng.integers(LIMIT.begin, 30), rng.integers(1, 40, 3)
        voxel = np.minimum(rng.integers(begin, begin + shape), np.array(LIMIT.end) - 1)
        one = lattice((begin.tolist(), shape.tolist()), voxel.tolist(), step=(4, 3, 6))
        assert all(b % s == 0 for b, s in zip(one.first.begin, (4, 3, 6), strict=True))
        assert all(n % s == 0 for n, s in zip(one.stride, (4, 3, 6), strict=True))
        large = (shape > np.array((16, 16, 16))).any()
        # a step may move it by less than one step
        assert large or one.first.grow((4, 3, 6), (4, 3, 6)).contains(
            Roi(begin.tolist(), shape.tolist()).intersect(LIMIT)
        )
        assert one.roi((0, 0, 0)).contains(Coordinate(voxel.tolist()))


def test_a_window_is_no_larger_than_the_box_with_its_room() -> None:
    rng = np.random.default_rng(3)
    step, room = np.array((4, 3, 1)), np.array((2, 0, 5))
    for _ in range(200):
        begin, shape = rng.integers(LIMIT.begin, 30), rng.integers(1, 30, 3)
        voxel = rng.integers(begin, begin + shape)
        box = (begin.tolist(), shape.tolist())
        one = lattice(box, voxel.tolist(), step=tuple(step), room=tuple(room))
        wanted = shape + 2 * room
        for size, n, s in zip(one.first.shape, wanted, step, strict=True):
            assert size == 16 if n >= 16 else n <= size < n + s
        assert one.roi((0, 0, 0)).contains(Coordinate(voxel.tolist()))
        assert all(n % s == 0 for n, s in zip(one.stride, step, strict=True))


def test_weights_fade_out_to_the_faces() -> None:
    made = weights((3, 4, 5))
    brute = np.empty((3, 4, 5), np.float32)
    for index in np.ndindex(3, 4, 5):
        away = [min(i, n - 1 - i) + 1 for i, n in zip(index, (3, 4, 5), strict=True)]
        brute[index] = np.prod(away)
    assert np.array_equal(made, brute)
    assert made.dtype == np.float32


def test_the_mean_of_windows_is_the_weighted_mean_voxel_by_voxel() -> None:
    rng = np.random.default_rng(2)
    places = {(0, 0, 0): Roi((0, 0, 0), (4, 5, 6)), (0, 0, 1): Roi((0, 0, 4), (4, 5, 6)),
              (0, 1, 0): Roi((0, 3, 0), (4, 5, 6))}  # fmt: skip
    values = {place: {"a": rng.random((2, 4, 5, 6), np.float32)} for place in places}
    seen = Seen({place: (places[place], values[place]) for place in reversed(places)})
    blended, box = seen.blended()["a"], seen.roi
    assert box == Roi((0, 0, 0), (4, 8, 10))
    for index in np.ndindex(*box.shape):
        total, weight = np.zeros(2), 0.0
        for place, roi in places.items():
            inside = Coordinate(index) - roi.begin
            if roi.contains(Coordinate(index)):
                w = float(weights(roi.shape)[tuple(inside)])
                total += w * values[place]["a"][:, *inside]
                weight += w
        expected = total / weight if weight else np.zeros(2)
        assert np.allclose(blended[:, *index], expected, atol=1e-6)
        assert seen.covers(Roi(index, (1, 1, 1))).item() == (weight > 0)


def test_the_order_in_which_windows_came_changes_no_bit() -> None:
    rng = np.random.default_rng(3)
    windows = [
        ((0, 0, n), (Roi((0, 0, 3 * n), (4, 4, 6)), {"a": rng.random((1, 4, 4, 6), np.float32)}))
        for n in range(4)
    ]
    one, other = (Seen(dict(each)).blended()["a"] for each in (windows, windows[::-1]))
    assert np.array_equal(one, other)


class World:
    """Objects that a network would see; notes where it looked."""

    def __init__(self, labels):
        self.labels, self.looked = labels, []

    def look(self, roi):
        self.looked.append(roi)
        return {"a": self._read(roi)[None].astype(np.float32)}

    def decode(self, values, roi, seen):
        return np.where(seen, values["a"][0], 0).astype(np.uint64)

    def _read(self, roi):
        return self.labels[(roi - LIMIT.begin).to_slices()]


def at(world, voxel, box, most=64, **options):
    return instance_at(
        Seed(1, Coordinate(voxel), Roi(*box)),
        lattice(box, voxel, **options),
        look=world.look,
        decode=world.decode,
        most=most,
        region=LIMIT,
    )


def long_object():
    """A snake of three pieces around corners, far longer than a window, and a neighbour."""
    labels = np.zeros(LIMIT.shape, np.int64)
    labels[30:36, 30:36, 2:66] = 5
    labels[30:36, 4:36, 60:66] = 5
    labels[6:36, 4:10, 60:66] = 5
    labels[40:50, 30:40, 20:30] = 7
    return labels


def test_windows_follow_an_object_and_no_other() -> None:
    world = World(long_object())
    found = at(world, (37, 26, 5), ((34, 24, 4), (6, 6, 6)))
    whole = np.zeros(LIMIT.shape, bool)
    whole[(found.roi - LIMIT.begin).to_slices()] = found.mask
    assert np.array_equal(whole, world.labels == 5)
    assert not found.cut
    assert found.windows == len(world.looked) == len(set(map(str, world.looked)))
    # many less than all of the box around it would take
    assert found.windows < 20
    touched = [roi for roi in world.looked if (world._read(roi) == 5).any()]
    assert len(touched) == found.windows


def test_an_object_that_fits_takes_one_window() -> None:
    labels = np.zeros(LIMIT.shape, np.int64)
    labels[20:34, 20:34, 20:34] = 3
    world = World(labels)
    found = at(world, (30, 20, 30), ((24, 14, 20), (14, 14, 14)))
    assert (found.windows, found.predicted, found.voxels) == (1, 16**3, 14**3)


def test_an_object_at_the_border_of_the_volume_is_whole() -> None:
    labels = np.zeros(LIMIT.shape, np.int64)
    labels[:8, :8, :8] = 3
    found = at(World(labels), (4, -6, 0), ((4, -6, 0), (8, 8, 8)))
    assert (found.windows, found.voxels, found.cut) == (1, 512, False)


def test_where_windows_end_the_object_is_said_to_be_cut() -> None:
    world = World(long_object())
    few = at(world, (37, 26, 5), ((34, 24, 4), (6, 6, 6)), most=3)
    assert few.windows <= 3
    assert few.cut
    near = Roi((30, 20, 0), (20, 20, 30))
    limited = instance_at(
        Seed(1, Coordinate((37, 26, 5)), Roi((34, 24, 4), (6, 6, 6))),
        lattice(((34, 24, 4), (6, 6, 6)), (37, 26, 5), limit=near),
        look=world.look,
        decode=world.decode,
        most=64,
        region=LIMIT,
    )
    assert limited.cut
    assert near.contains(limited.roi)


@pytest.mark.parametrize(("voxel", "label"), [((34, 40, 25), 0), ((43, 30, 19), 7)])
def test_a_point_beside_an_object_takes_the_nearest_of_its_box(voxel, label) -> None:
    world = World(long_object())
    found = at(world, voxel, (tuple(n - 3 for n in voxel), (6, 6, 6)))
    assert found.voxels == (1000 if label else 0)
