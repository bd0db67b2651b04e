"""Where samples may lie, against brute force."""

import math

import numpy as np
import pytest
from batch_making import write_arrays
from funlib.geometry import Coordinate, Roi

from lsd.batches.sources.location import TRIES, Location
from lsd.batches.sources.places import PlaceIndex, box_sums, look, suitable
from lsd.spec import Volume
from lsd.volumes.source import Source
from lsd.volumes.volume import open_volume

SHAPE, OFFSET = (44, 32, 72), (100, -20, 7)


def _sums(mask, shape):
    return np.lib.stride_tricks.sliding_window_view(mask, shape).sum(axis=(3, 4, 5))


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """A volume with a cube, a few sections and specks of truth; labels 0 in some of it."""
    folder = tmp_path_factory.mktemp("sparse")
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:20, 10:28, 50:66] = 1
    mask[40:43] = 1
    mask[rng.random(SHAPE) < 0.01] = 1
    labels = rng.integers(0, 9, SHAPE).astype(np.uint64)
    labels[:, :, 56:] = 0
    raw = rng.integers(0, 255, SHAPE).astype(np.uint8)
    thin = np.zeros_like(labels)
    thin[7:9, 20, 50:55] = 7
    write_arrays(
        folder / "full.zarr", raw=raw, labels=labels, mask=mask, hidden=labels * mask, thin=thin
    )
    empty = {
        "mask": mask * (np.arange(72) > 45).astype(np.uint8),
        "thin": thin,
        "hidden": labels * mask,
    }
    write_arrays(folder / "holes.zarr", chunks=(16, 16, 32), fill=0, **empty)
    return folder


VOLUMES = {
    "mask": {"labels_mask": "mask"},
    "unknown": {"labels": "hidden", "unknown": 0},
    "background": {"labels": "thin"},
    "masked background": {"labels": "thin", "labels_mask": "mask"},
    "region": {"labels_mask": "mask", "region": "103:138, :, 20:75"},
    "chunks left out": {"labels_mask": "holes.zarr:mask"},
    "labels left out": {"labels": "holes.zarr:thin"},
    "unknown left out": {
        "labels": "holes.zarr:hidden",
        "labels_mask": "holes.zarr:mask",
        "unknown": 0,
    },
}


def _open(folder, **options):
    given = Volume(**{"path": "full.zarr", "raw": "raw", "labels": "labels", **options})
    return open_volume(given, name="v", data_root=folder)


def _brute(opened, output, share):
    """Every begin at which an output suits, by looking at each."""
    around = opened.roi.grow(Coordinate(output) - 1, Coordinate(output) - 1)
    labels, known = opened.read_truth(around)
    enough = _sums(known, output) >= max(share * math.prod(output), 1)
    return {
        tuple(around.begin + Coordinate(at))
        for at in np.argwhere(enough & (_sums(known & (labels > 0), output) > 0))
    }


class Says:
    """Draws this number."""

    def __init__(self, number):
        self.number = number

    def integers(self, bound):
        assert self.number < bound
        return self.number


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize(
    ("output", "share"),
    [((8, 8, 8), 0.5), ((8, 8, 8), 0.0), ((12, 6, 9), 1.0), ((1, 9, 10), 0.9)],
    ids=str,
)
def test_all_places_that_suit_and_no_others(sparse, name, output, share):
    opened = _open(sparse, **VOLUMES[name])
    wanted = _brute(opened, output, share)
    if not wanted:
        with pytest.raises(ValueError, match="volume 'v'"):
            Location(opened, output=output, min_masked=share).find_places()
        return
    places = Location(opened, output=output, min_masked=share)._look()
    assert places.count == len(wanted)
    numbers = range(0, places.count, max(1, places.count // 300))
    drawn = {tuple(places.draw(opened, Says(number))) for number in numbers}
    assert len(drawn) == len(numbers)
    assert drawn <= wanted
    rng = np.random.default_rng(0)
    tried = [
        Coordinate(at)
        for at in rng.integers(places.low, places.high, (200, 3), endpoint=True).tolist()
    ]
    steps = [Coordinate(step) for step in ((0, 0, 0), (0, 1, 0), (-1, 0, 1))]
    tried += [
        Coordinate(at) + step for at in sorted(wanted)[:: len(wanted) // 50 + 1] for step in steps
    ]
    assert [places.suits(opened, at) for at in tried] == [tuple(at) in wanted for at in tried]
    assert places.first(opened, np.array(tried)) == next(at for at in tried if tuple(at) in wanted)


def test_what_suits_is_counted_as_by_hand():
    rng = np.random.default_rng(1)
    for shape, output in (((9, 8, 7), (3, 4, 5)), ((5, 6, 7), (5, 6, 7)), ((6, 7, 8), (1, 1, 1))):
        known = rng.random(shape) < 0.6
        labelled = known & (rng.random(shape) < 0.02)
        np.testing.assert_array_equal(box_sums(known, output), _sums(known, output))
        for needed in (1, math.prod(output) // 2 + 1):
            expected = (_sums(known, output) >= needed) & (_sums(labelled, output) > 0)
            np.testing.assert_array_equal(suitable(known, labelled, output, needed), expected)


def test_places_are_drawn_alike_with_all_known_or_none(sparse):
    """What one process knows and another does not makes no difference, nor what was forgotten."""
    opened = _open(sparse, labels_mask="mask")
    known, unknown = (Location(opened, output=(8, 8, 8), min_masked=0.5) for _ in range(2))
    places = known._look()
    places.memory.size = 200  # hardly any bits are kept
    for seed in range(40):
        assert known._draw(np.random.default_rng(seed)) == unknown._draw(
            np.random.default_rng(seed)
        )
    assert unknown.places is None or unknown.places.count == places.count


def test_what_the_first_draws_find_is_what_they_found(sparse):
    """Draws until one suits, as before there was an index, are as they were."""
    opened = _open(sparse, labels_mask="mask")
    wanted = _brute(opened, (8, 8, 8), 0.3)
    place = Location(opened, output=(8, 8, 8), min_masked=0.3)
    place._look()
    first = beyond = 0
    for seed in range(60):
        rng, found = np.random.default_rng(seed), place._draw(np.random.default_rng(seed))
        draws = [
            tuple(rng.integers(place.low, place.high, endpoint=True).tolist()) for _ in range(TRIES)
        ]
        suit = [draw for draw in draws if draw in wanted]
        assert tuple(found) == suit[0] if suit else tuple(found) in wanted
        first, beyond = first + bool(suit), beyond + (not suit)
    assert first


def test_draws_are_even():
    """A third of the places of a part is drawn a third of the time."""
    places = PlaceIndex(
        Coordinate(2, 2, 2), 1, Coordinate(0, 0, 0), Coordinate(9, 9, 9), truth=None
    )
    places.parts = {
        (0, 0, 0): (Roi((0, 0, 0), (2, 2, 2)), 8),
        (0, 0, 1): (Roi((0, 0, 5), (2, 2, 4)), 16),
    }
    places.settle()
    rng = np.random.default_rng(0)
    drawn = [tuple(places.draw(None, rng)) for _ in range(4800)]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 200) ** 2 / 200).sum() < 50  # chi-square of 23 degrees: one in a thousand


@pytest.mark.parametrize("name", ["mask", "chunks left out"])
def test_the_best_place_is_the_best_of_all(sparse, name):
    opened, output = _open(sparse, **VOLUMES[name]), (8, 12, 9)
    around = opened.roi.grow(Coordinate(7, 11, 8), Coordinate(7, 11, 8))
    labels, known = opened.read_truth(around)
    with_label = _sums(known & (labels > 0), output) > 0
    most = _sums(known, output)[with_label].max() / math.prod(output)
    assert Location(opened, output=output, min_masked=0)._look().best(opened) == pytest.approx(most)


def test_chunks_that_are_not_there_are_not_read(sparse, monkeypatch):
    read, original = [], Source.read

    def noted(self, slices):
        read.append((self.name, slices))
        return original(self, slices)

    monkeypatch.setattr(Source, "read", noted)
    truth = look(_open(sparse, labels="holes.zarr:thin"))
    assert truth.labelled.tolist() == [[[107, 0, 57], [109, 1, 62]]]
    assert len(read) == 1


def test_of_a_volume_too_large_to_be_searched_a_part_is_drawn_from(sparse, caplog, monkeypatch):
    opened = _open(sparse, labels_mask="holes.zarr:mask", labels="holes.zarr:hidden")
    monkeypatch.setattr("lsd.volumes.known_voxels.SMALL", 16 * 16 * 32)
    place = Location(opened, output=(6, 6, 6), min_masked=0.5)
    places = PlaceIndex.of(
        opened,
        output=place.output,
        needed=place.needed,
        low=place.low,
        high=place.high,
        limit=4 * 16 * 16 * 32,
    )
    assert not places.whole
    place.places = places
    wanted = _brute(opened, (6, 6, 6), 0.5)
    assert 0 < places.count < len(wanted)
    assert all(tuple(place._draw(np.random.default_rng(seed))) in wanted for seed in range(30))
