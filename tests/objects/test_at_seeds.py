"""Objects at located points, over blocks, against the objects that are there."""

from dataclasses import fields

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from seeded_run import FLAT, balls, is_renaming, make_run, read, table_of

from lsd.blockwise.on_disk.container import partial_of
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import step_folder
from lsd.objects.at_seeds import ARRAY, SEED
from lsd.objects.located import Located
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.sight import Sight
from lsd.objects.tables import write_located
from lsd.objects.task import task_of, wanted_of
from lsd.spec import paths
from lsd.volumes.array import open_array

SHAPE, COUNT = (40, 46, 36), 8
LABELS = balls(SHAPE, count=COUNT, radius=6)


def rows_of(path):
    ledger = read_ledger(step_folder(path, "seeds"))
    return np.concatenate([ledger.block_rows(n, SEED) for n in range(len(ledger.records))])


def test_every_object_is_found_whole_and_once(tmp_path) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS, jitter=2))
    [path] = segment_at_seeds(config)
    result = read(path)
    assert result.dtype == np.uint64
    assert is_renaming(result, LABELS)
    assert sorted(np.unique(result)) == list(range(COUNT + 1))
    rows = rows_of(path)
    assert sorted(rows["id"]) == list(range(1, COUNT + 1))
    assert (rows["label"] == rows["id"]).all()
    assert not rows["cut"].any()
    # an object that fits into a window takes one
    boxes = table_of(LABELS)
    extent = np.rint((boxes.end - boxes.begin) / (12, 8, 8)).max(axis=1)
    small = set(boxes.id[extent <= 11])
    assert small
    assert (rows["windows"][np.isin(rows["id"], list(small))] == 1).all()


def test_windows_with_room_around_boxes_find_the_same_in_fewer_voxels(tmp_path) -> None:
    """Of boxes that are a voxel too small on each side as well: windows beyond are looked at."""
    config = make_run(tmp_path, LABELS, table_of(LABELS), seeds={"window": (20, 20, 20)})
    segment_at_seeds(config)
    whole = rows_of(paths.objects(config, "em"))
    for name, room in (("roomy", 2), ("tight", 0)):
        seeds = {"room": (room, room, room)}
        fitted = config.derive(name=name, predict=named(config), seeds=seeds)
        [path] = segment_at_seeds(fitted)
        assert is_renaming(read(path), LABELS)
        rows = rows_of(path)
        assert not rows["cut"].any()
        alone = rows["windows"] == 1
        assert alone.any() == (name == "roomy"), "without room an object ends at the face"
        assert (rows["predicted"] < whole["predicted"])[alone].all()


def test_a_network_of_sections_sees_windows_of_several(tmp_path) -> None:
    seeds = {"window": (9, 14, 14)}
    config = make_run(tmp_path, LABELS, table_of(LABELS), trunk=FLAT, seeds=seeds)
    [path] = segment_at_seeds(config)
    assert is_renaming(read(path), LABELS)
    without = config.derive(seeds={"window": None})
    with pytest.raises(ValueError, match=r"sees sections alone.* set seeds\.window"):
        segment_at_seeds(without)


@pytest.mark.parametrize(
    ("window", "piece", "taken"),
    [
        ((16, 16), None, (16, 16)),
        ((1, 16, 16), (8, 30, 20), (16, 16)),
        # what leaves in training: of 18 voxels a convolution leaves 16, of their halves 6, of 12 10
        (None, (30, 20), (10, 10)),
    ],
)
def test_a_plane_has_objects_at_points_too(tmp_path, window, piece, taken) -> None:
    labels = balls((70, 60), count=7, radius=7)
    seeds = {"window": window, "piece": piece}
    config = make_run(tmp_path, labels, table_of(labels), trunk=FLAT, seeds=seeds)
    assert task_of(config, "em", wanted_of(config)).job.window == taken
    [path] = segment_at_seeds(config)
    assert is_renaming(read(path), labels)


@pytest.mark.parametrize("field", ["window", "piece"])
def test_sections_are_no_volume_for_windows_of_a_plane(tmp_path, field) -> None:
    seeds = {"window": (9, 14, 14), field: (14, 14)}
    config = make_run(tmp_path, LABELS, table_of(LABELS), trunk=FLAT, seeds=seeds)
    says = rf"seeds.{field}: \(14, 14\) is of 2 axes, volume 'em' of 3; give z y x"
    with pytest.raises(ValueError, match=says):
        segment_at_seeds(config)
    assert not paths.objects(config, "em").parent.exists(), "before anything is computed"


def test_blocks_without_a_point_are_not_there(tmp_path) -> None:
    few = LABELS * (LABELS <= 2)
    config = make_run(tmp_path, few, table_of(few))
    [path] = segment_at_seeds(config)
    held = {tuple((np.argwhere(few == label).mean(axis=0) // 24).astype(int)) for label in (1, 2)}
    blocks = open_array(path, ARRAY)
    assert len(read_ledger(step_folder(path, "seeds"))) == len(held) < 12
    assert blocks.roi.size <= 2 * (24 + 2 * 12) ** 3
    # all of the volume is written nevertheless
    assert is_renaming(read(path), few)


@pytest.mark.slow
def test_workers_change_no_bit(tmp_path) -> None:
    table = table_of(LABELS, ids=[2**63 + 7 * n for n in range(COUNT)])
    config = make_run(tmp_path, LABELS, table)
    [alone] = segment_at_seeds(config.derive(name="alone", predict=named(config)))
    [shared] = segment_at_seeds(
        config.derive(name="shared", predict=named(config), seeds={"workers": {"count": 2}})
    )
    for name in (ARRAY, "segmentation"):
        assert np.array_equal(read(alone, name), read(shared, name))
    assert np.array_equal(rows_of(alone), rows_of(shared))
    # labels of blocks are the ids of the table, which no float holds
    assert set(np.unique(read(alone, ARRAY))[1:].tolist()) == {2**63 + 7 * n for n in range(COUNT)}
    assert is_renaming(read(alone), LABELS)


def named(config):
    """The checkpoint of the first run."""
    [path] = paths.checkpoints(config, "main").glob("*.pt")
    return {"checkpoint": str(path)}


def test_two_points_of_an_object_are_one(tmp_path) -> None:
    """A long object that blocks cut, with a point in each of them, and two in one block."""
    labels = np.zeros(SHAPE, np.uint64)
    labels[10:18, 10:20, 2:34] = 1
    labels[26:36, 26:36, 26:36] = 2
    whole = table_of(labels)
    points = np.array([[15.5, 16.5, 4.5], [15.5, 15.5, 9.5], [14.5, 17.5, 31.5]])
    size, offset = np.array((12.0, 8, 8)), np.array((10, -3, 5))
    columns = {field.name: getattr(whole, field.name)[[0, 0, 0, 1]] for field in fields(whole)}
    columns["id"] = np.array([11, 12, 13, 5], np.uint64)
    columns["point"] = np.concatenate([(points + offset) * size, whole.point[1:]])
    table = Located(**columns)
    [path] = segment_at_seeds(make_run(tmp_path, labels, table))
    assert is_renaming(read(path), labels)
    rows = {int(row["id"]): row for row in rows_of(path)}
    # the second point lies in what the first one found, so it is looked at no more
    assert rows[12]["label"] == 11
    assert rows[12]["windows"] == 0
    assert rows[13]["label"] == 13
    assert rows[11]["windows"] > 1


def test_a_point_without_an_object_gives_none(tmp_path) -> None:
    config = make_run(tmp_path, LABELS * (LABELS != 3), table_of(LABELS))
    [path] = segment_at_seeds(config)
    rows = rows_of(path)
    assert rows["label"][rows["id"] == 3] == 0
    assert rows["windows"][rows["id"] == 3] == 1
    assert is_renaming(read(path), LABELS * (LABELS != 3))


def test_small_objects_are_dropped(tmp_path) -> None:
    sizes = np.bincount(LABELS.reshape(-1).astype(int))
    least = int(np.median(sizes[1:]))
    config = make_run(tmp_path, LABELS, table_of(LABELS), seeds={"min_size": least})
    [path] = segment_at_seeds(config)
    assert is_renaming(read(path), LABELS * (sizes[LABELS] >= least))


def test_a_volume_without_a_point_is_empty(tmp_path) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS).chosen([]))
    [path] = segment_at_seeds(config)
    result = read(path)
    assert result.shape == SHAPE
    assert not result.any()


def test_a_region_has_its_points_alone(tmp_path) -> None:
    """A single block: what lies at its border is whole as far as the region goes."""
    config = make_run(tmp_path, LABELS, table_of(LABELS))
    region = config.derive(predict={"region": "12:44, 0:36, 10:38"})
    [path] = segment_at_seeds(region)
    inside = LABELS[2:34, 3:39, 5:33]
    points = np.floor(table_of(LABELS).point / (12, 8, 8) - (12, 0, 10))
    held = np.flatnonzero(((points >= 0) & (points < inside.shape)).all(axis=1)) + 1
    assert 0 < len(held) < COUNT
    assert is_renaming(read(path), inside * np.isin(inside, held))


def test_what_reaches_beyond_the_margin_is_told(tmp_path) -> None:
    labels = np.zeros(SHAPE, np.uint64)
    labels[2:38, 10:18, 10:18] = 1
    lines = []
    config = make_run(tmp_path, labels, table_of(labels), seeds={"margin": (4, 4, 4)})
    [path] = segment_at_seeds(config, progress=lines.append)
    assert rows_of(path)["cut"].tolist() == [1]
    assert any("1 object may go on beyond" in line and "seeds.margin" in line for line in lines)
    # by its box, the table says how much is enough
    [whole] = segment_at_seeds(
        config.derive(name="wide", predict=named(config), seeds={"margin": None})
    )
    assert is_renaming(read(whole), labels)


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS))
    whole = config.derive(name="whole", predict=named(config))
    [expected] = segment_at_seeds(whole)
    calls, look = [], Sight.look

    def stopped(self, roi, ahead):
        calls.append(roi)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return look(self, roi, ahead)

    monkeypatch.setattr(Sight, "look", stopped)
    with pytest.raises(KeyboardInterrupt):
        segment_at_seeds(config)
    partial = partial_of(paths.objects(config, "em"))
    done = set(read_ledger(step_folder(partial, "seeds")).records["index"].tolist())
    ledger = read_ledger(step_folder(expected, "seeds"))
    left = set(range(len(ledger))) - done
    assert done
    assert left
    calls.extend([None] * 4)
    before = len(calls)
    [path] = segment_at_seeds(config)
    assert np.array_equal(read(path), read(expected))
    windows = sum(int(ledger.block_rows(n, SEED)["windows"].sum()) for n in left)
    assert len(calls) - before == windows
    # another run finds all done
    segment_at_seeds(config)
    assert len(calls) - before == windows


def test_another_table_makes_it_anew(tmp_path, caplog) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS))
    segment_at_seeds(config)
    write_located(table_of(LABELS).chosen(slice(0, 3)), tmp_path / "em.csv")
    with caplog.at_level("INFO"):
        [path] = segment_at_seeds(config)
    assert "the table of located objects is another one" in caplog.text
    assert is_renaming(read(path), LABELS * (LABELS <= 3))


def test_raw_that_is_seen_around_windows_is_an_input(tmp_path) -> None:
    window = Coordinate(2, 2, 2)
    config = make_run(tmp_path, LABELS, table_of(LABELS), seeds={"window": tuple(window)})
    wanted = wanted_of(config.derive(predict={"region": "24:36, 12:24, 18:30"}))
    task = task_of(config, "em", wanted)
    region, read = Roi(*task.job.region), Roi(*task.job.volume.arrays["raw"].read)
    for begin in (region.begin, region.end - window):
        [block] = wanted.plan(Roi(begin, window), task.volume).grid
        assert not region.grow(window, window).contains(block.read)
        assert read.contains(block.read)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": {"located": "no/{volume}.csv"}}, r"no table .*'em' at no/em.csv.*seeds.located"),
        ({"seeds": {"located": None}}, r"no table .*located/em.csv; make it with"),
        ({"seeds": {"window": (1, 14, 14)}}, r"seeds.window .* smaller than a step of"),
        ({"seeds": {"window": (14, 14)}}, r"seeds.window: .* is of 2 axes, volume 'em' of 3"),
        (
            {"seeds": {"threshold": 0.4}, "segment": {"decoder": "interior"}},
            r"segment.decoder 'interior' has no thresholds; leave seeds.threshold out",
        ),
        ({"segment": {"decoder": "watershed"}}, r"segment.affinities names 'affs'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, change, words) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS))
    with pytest.raises(ValueError, match=words):
        segment_at_seeds(config.derive(**change))
