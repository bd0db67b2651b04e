"""Samples around objects, and away from them, against what volumes hold."""

import numpy as np
import pytest
import tifffile
from batch_making import AFFS, config, write_arrays
from funlib.geometry import Coordinate, Roi
from scipy import ndimage

from lsd.batches.pipeline import Batches
from lsd.batches.sources.location import Location
from lsd.batches.sources.object_places import ObjectBoxes
from lsd.spec import AroundObjects, Images, Volume
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

SHAPE, OFFSET = (60, 48, 56), (100, -20, 7)
OUTPUT = (12, 12, 12)
# objects by their boxes, z y x; the last one is larger than the output, one is a crumb
BOXES = {3: (5, 12, 5, 13, 5, 15), 9: (40, 46, 30, 36, 40, 50), 2**63: (20, 35, 2, 30, 30, 32)}
CRUMB = (50, 51, 5, 6, 5, 6)


def _box(box):
    return tuple(slice(a, b) for a, b in zip(box[::2], box[1::2], strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    labels, fires = np.zeros(SHAPE, np.uint64), np.zeros(SHAPE, np.uint64)
    for label, box in BOXES.items():
        labels[_box(box)] = label
    labels[_box(CRUMB)] = 77
    # what an earlier network found: an object that is there, shifted, and one that is not
    fires[6:13, 5:13, 5:15] = 1
    fires[40:50, 5:12, 5:12] = 2
    raw = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    mask = np.ones(SHAPE, np.uint8)
    mask[:, :, 40:] = 0
    # little, around the one object that is large
    few = np.zeros(SHAPE, np.uint8)
    few[18:37, :32, 24:48] = 1
    write_arrays(folder / "full.zarr", raw=raw, labels=labels, fires=fires, mask=mask, few=few)
    return folder


def _open(folder, **options):
    fields = {"path": "full.zarr", "raw": "raw", "labels": "labels", "arrays": {"f": "fires"}}
    return open_volume(Volume(**{**fields, **options}), name="v", data_root=folder)


def _location(volume, min_masked=0.5, places=None, **sampling):
    return Location(
        volume,
        output=OUTPUT,
        min_masked=min_masked,
        places=places,
        sampling=AroundObjects(**sampling),
    )


def _draws(location, count=300):
    rng = np.random.default_rng(1)
    return [location.objects.draw(rng) for _ in range(count)]


def test_boxes_are_those_of_the_labels(folder) -> None:
    volume = _open(folder)
    boxes = ObjectBoxes.of(volume, AroundObjects(min_size=2))
    labels = volume.read_labels(volume.roi)
    ids = sorted(BOXES)
    numbered = np.searchsorted(ids, labels) * np.isin(labels, ids) + np.isin(labels, ids)
    expected = [
        [[s.start + b for s, b in zip(found, volume.roi.begin, strict=True)],
         [s.stop + b for s, b in zip(found, volume.roi.begin, strict=True)]]
        for found in ndimage.find_objects(numbered)
    ]  # fmt: skip
    assert boxes.objects.tolist() == expected
    assert len(ObjectBoxes.of(volume, AroundObjects()).objects) == len(expected) + 1


def test_an_object_that_many_blocks_hold_has_one_box(folder, monkeypatch) -> None:
    volume = _open(folder)
    whole = ObjectBoxes.of(volume, AroundObjects(fires="f"))
    monkeypatch.setattr("lsd.volumes.known_voxels.SMALL", 8**3)
    monkeypatch.setattr("lsd.volumes.known_voxels.LARGE", 8**3)
    cut = ObjectBoxes.of(volume, AroundObjects(fires="f"))
    assert np.array_equal(whole.objects, cut.objects)
    assert np.array_equal(whole.false, cut.false)


def test_what_fires_and_is_there_is_not_false(folder) -> None:
    boxes = ObjectBoxes.of(_open(folder), AroundObjects(fires="f"))
    begin = np.array(_open(folder).roi.begin)
    assert (boxes.false - begin).tolist() == [[[40, 5, 5], [50, 12, 12]]]


def test_a_sample_holds_an_object_whole_or_lies_within_it(folder) -> None:
    volume = _open(folder)
    boxes = ObjectBoxes.of(volume, AroundObjects(min_size=2)).objects
    seen = set()
    for begin in _draws(_location(volume, jitter=0, negatives=0, min_size=2)):
        low, high = np.array(begin), np.array(begin) + OUTPUT
        fits = [
            number
            for number, (first, last) in enumerate(boxes)
            if all(
                (a <= f and b >= e) if e - f <= b - a else (a >= f and b <= e)
                for a, b, f, e in zip(low, high, first, last, strict=True)
            )
        ]
        assert fits
        seen |= set(fits)
    assert seen == {0, 1, 2}


def test_jitter_moves_samples_so_far_and_no_farther(folder) -> None:
    volume = _open(folder)
    boxes = ObjectBoxes.of(volume, AroundObjects(min_size=2)).objects
    draws = np.array(_draws(_location(volume, min_masked=0, jitter=0.25, negatives=0, min_size=2)))
    middle = draws[:, None] + np.array(OUTPUT) / 2 - boxes.mean(axis=1)
    room = np.maximum(boxes[:, 1] - boxes[:, 0] - OUTPUT, 0) / 2 + 0.25 * np.array(OUTPUT)
    near = (np.abs(middle) <= room + 0.5).all(axis=2)
    assert near.any(axis=1).all()
    # they reach nearly as far as they may
    assert np.abs(middle[near]).max(axis=0).min() > 2.4


def test_negatives_hold_no_object_and_are_so_many(folder) -> None:
    volume = _open(folder)
    draws = _draws(_location(volume, negatives=0.4))
    empty = [not volume.read_labels(Roi(begin, OUTPUT)).any() for begin in draws]
    assert 0.3 < np.mean(empty) < 0.5
    all_negative = _draws(_location(volume, negatives=1))
    assert not any(volume.read_labels(Roi(begin, OUTPUT)).any() for begin in all_negative)


def test_half_of_the_negatives_lie_where_a_network_fired_falsely(folder) -> None:
    volume = _open(folder)
    false = ObjectBoxes.of(volume, AroundObjects(fires="f")).false[0]
    draws = np.array(_draws(_location(volume, negatives=1, fires="f", jitter=0)))
    around = (np.abs(draws + np.array(OUTPUT) / 2 - false.mean(axis=0)) <= 0.5).all(axis=1)
    assert 0.4 < around.mean() < 0.6


@pytest.mark.parametrize(
    ("dtype", "value", "says"),
    [
        ("i4", -1, "full.zarr:fires holds the negative id -1 in "),
        # probabilities are no objects: all of them would be object 0
        ("f4", 0.5, "full.zarr:fires is float32; ids of train.sampling.fires are integers"),
    ],
)
def test_what_fires_must_be_ids(folder, tmp_path, dtype, value, says) -> None:
    there = _open(folder)
    fires = there.read_array("f", there.roi).astype(dtype)
    fires[-1, -1, -1] = value
    raw, labels = np.ones(SHAPE, np.uint8), there.read_labels(there.roi)
    write_arrays(tmp_path / "full.zarr", raw=raw, labels=labels, fires=fires)
    with pytest.raises(ValueError, match=says):
        ObjectBoxes.of(_open(tmp_path), AroundObjects(fires="f"))


def test_what_fires_may_have_one_channel(folder, tmp_path) -> None:
    there = _open(folder)
    raw, labels = np.ones(SHAPE, np.uint8), there.read_labels(there.roi)
    write_arrays(tmp_path / "full.zarr", raw=raw, labels=labels)
    create_array(
        tmp_path / "full.zarr", "fires", roi=there.roi, voxel_size=(8, 8, 8), dtype="i2", channels=1
    ).write(there.read_array("f", there.roi).astype(np.int16)[None], there.roi)
    found, wanted = (
        ObjectBoxes.of(_open(each), AroundObjects(fires="f")) for each in (tmp_path, folder)
    )
    assert len(wanted.false) == 1
    np.testing.assert_array_equal(found.false, wanted.false)


def test_enough_is_known_of_every_sample(folder) -> None:
    volume = _open(folder, labels_mask="mask")
    for begin in _draws(_location(volume, min_masked=0.8, negatives=0.5, jitter=0.5)):
        assert volume.read_known(Roi(begin, OUTPUT)).mean() >= 0.8


@pytest.mark.parametrize("negatives", [0, 0.5, 1])
def test_where_little_is_known_no_draw_fails(folder, monkeypatch, negatives) -> None:
    """One of a hundred places is known, and one of three objects; it may be tried but once."""
    monkeypatch.setattr("lsd.batches.sources.object_places.TRIES", 1)
    volume = _open(folder, labels_mask="few")
    # as if all objects were known that are in the file
    boxes = ObjectBoxes.of(_open(folder), AroundObjects(min_size=2))
    location = _location(volume, min_masked=0.95, negatives=negatives, places=boxes, jitter=0.3)
    found = location.find_places()
    draws = _draws(location)
    for begin in draws:
        assert volume.read_known(Roi(begin, OUTPUT)).mean() >= 0.95
    empty = np.mean([not volume.read_labels(Roi(begin, OUTPUT)).any() for begin in draws])
    # a negative is the emptiest place of many, and none of them need be empty
    assert negatives / 2 <= empty <= negatives
    told = _location(volume, min_masked=0.95, negatives=negatives, places=found, jitter=0.3)
    assert _draws(told) == draws


def test_what_another_process_found_changes_no_draw(folder) -> None:
    volume = _open(folder)
    alone = _location(volume, fires="f", negatives=0.5)
    told = _location(volume, places=alone.find_places(), fires="f", negatives=0.5)
    assert _draws(alone) == _draws(told)
    assert told.objects.boxes is alone.objects.boxes


def test_where_nothing_suits_it_is_said(folder) -> None:
    with pytest.raises(ValueError, match=r"has none of 10000 voxels or more; leave it out"):
        _location(_open(folder), min_size=10000, negatives=0).find_places()
    with pytest.raises(ValueError, match=r"further arrays: f; say where it lies"):
        _location(_open(folder), fires="g")
    # half of the one object is known, and of its surroundings
    half = _open(folder, labels_mask="mask", region="141:145, 10:16, 44:52")
    boxes = ObjectBoxes.of(_open(folder), AroundObjects(min_size=2))
    for negatives, why in (
        (0.0, "around each of its 3 less is known than train.min_masked asks for; lower it"),
        (1.0, "nowhere is as much known as train.min_masked asks for; lower it"),
    ):
        sampling = AroundObjects(jitter=0, negatives=negatives)
        with pytest.raises(ValueError, match=why):
            Location(
                half, output=(4, 6, 8), min_masked=0.5, sampling=sampling, places=boxes
            ).find_places()


def test_a_volume_without_objects_gives_negatives(folder) -> None:
    volume = _open(folder)
    location = _location(volume, min_size=10000, negatives=0.1)
    assert len(location.find_places().objects) == 0
    assert not any(volume.read_labels(Roi(begin, OUTPUT)).any() for begin in _draws(location, 20))


def test_a_place_without_objects_is_the_emptiest_where_there_is_none(folder) -> None:
    full = _open(folder, region="120:135, -18:10, 37:39")
    location = Location(full, output=(4, 4, 2), min_masked=1.0, sampling=AroundObjects(negatives=1))
    begin = location.objects.draw(np.random.default_rng(0))
    assert Roi(full.roi.begin, full.roi.shape).contains(Roi(Coordinate(begin), (4, 4, 2)))


def test_batches_are_of_objects_whoever_makes_them(folder) -> None:
    sampling = AroundObjects(negatives=0.5, fires="f")
    volume = Volume(path="full.zarr", raw="raw", labels="labels", arrays={"f": "fires"})
    made = config(folder, volumes=(volume,), heads={"affs": AFFS}, sampling=sampling)
    with Batches(made, "main", (8, 8, 8), (8, 8, 8)) as alone:
        batches = [next(alone) for _ in range(12)]
    has_object = [bool(batch.labels.any()) for batch in batches]
    assert 0 < sum(has_object) < 12
    shared = made.derive(train={"workers": 1})
    with Batches(shared, "main", (8, 8, 8), (8, 8, 8), start=10) as elsewhere:
        for batch in batches[10:]:
            assert np.array_equal(batch.raw, next(elsewhere).raw)


def test_images_have_no_sampling_of_their_own(tmp_path) -> None:
    pictures = np.zeros((2, 16, 16), np.uint8)
    for kind in ("raw", "masks"):
        (tmp_path / kind).mkdir()
        for number, picture in enumerate(pictures):
            tifffile.imwrite(tmp_path / kind / f"{number}.tif", picture + number)
    images = Images(images="raw/*.tif", masks="masks/*.tif")
    opened = open_volume(Volume(images=images), name="v", data_root=tmp_path)
    with pytest.raises(ValueError, match=r"of images.*train.sampling is for volumes"):
        Location(opened, output=(1, 8, 8), min_masked=0.5, sampling=AroundObjects())
