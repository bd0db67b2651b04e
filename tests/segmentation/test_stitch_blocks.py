"""Stitching over blocks: equal to that of arrays, for any order, workers and piece; memory follows
the table of ids."""

import numpy as np
import pytest
from cut_blocks import PERFECT, cut, instances, is_renaming
from funlib.geometry import Roi
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.blockwise.on_disk.grid import chunk_shape, tile
from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.blockwise.running.run import BlocksFailed, prepare, run
from lsd.segmentation.stitch import Rule, stitch
from lsd.segmentation.stitching import blocks as labelled
from lsd.segmentation.stitching.blocks import OpenFiles, SideBySide, placed, side_by_side
from lsd.segmentation.stitching.boxes import Boxes, boxes_of
from lsd.segmentation.stitching.labels import LABEL
from lsd.segmentation.stitching.listed import Hints, find_blocks
from lsd.segmentation.stitching.run import stitch_files, write_stitched
from lsd.spec import Stitch, Workers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import OwnArray

SIZE = Hints(voxel_size=(5.24, 4, 4))
SHAPE = (18, 22, 23)
LABELS = instances(SHAPE, 7)
BLOCKS = cut(LABELS, (8, 9, 10), (2, 3, 3), seed=7)
ROUGH = Rule(30, 3, 0.4, 0.3)


def saved(folder, blocks, *, order=None):
    """Blocks as files of numpy; order: in which they are written."""
    folder.mkdir(parents=True)
    for number in range(len(blocks)) if order is None else order:
        begin, labels = blocks[number]
        name = "_".join(f"{axis}{n}" for axis, n in zip("zyx"[-len(begin) :], begin, strict=True))
        np.save(folder / f"{name}.npy", labels)
    return folder


def volume(container):
    array = open_array(container, "segmentation")
    return array.read(array.roi)


def rough(blocks, seed=0):
    """The same, as a network that errs: each block with voxels, and whole objects, of its own."""
    rng = np.random.default_rng(seed)
    changed = []
    for begin, labels in blocks:
        labels = labels.copy()
        labels[rng.random(labels.shape) < 0.15] = 0
        for other in np.unique(labels)[1:]:
            if rng.random() < 0.2:
                half = (labels == other) & (np.arange(labels.shape[-1]) % 7 < 3)
                labels[half] = other // 2 + 1
        changed.append((begin, labels))
    return changed


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 1000),
    st.booleans(),
    st.sampled_from([(5, 7, 9), (8, 8, 8), (64, 64, 64)]),
    st.sampled_from([PERFECT, ROUGH]),
    st.booleans(),
)
def test_blockwise_is_as_arrays(tmp_path_factory, seed, flat, piece, rule, touching) -> None:
    folder = tmp_path_factory.mktemp("stitch")
    shape = (22, 23) if flat else (11, 13, 14)
    dims = len(shape)
    blocks = rough(cut(instances(shape, seed), (6, 7, 8)[-dims:], (2, 3, 3)[-dims:]), seed)
    parts, begins = [b for _, b in blocks], [tuple(np.add(b, -3)) for b, _ in blocks]
    # a minus before all numbers is not guessed
    pattern = "y{y}_x{x}.npy" if flat else "z{z}_y{y}_x{x}.npy"
    found = find_blocks(
        saved(folder / "in", list(zip(begins, parts, strict=True))),
        Hints(voxel_size=(4.0,) * dims, pattern=pattern),
    )
    asked = Stitch(rule=rule, piece=piece[-dims:], touching=touching)
    stitched = stitch_files(found, folder / "out.zarr", settings=asked)
    expected = stitch(parts, begins, rule=rule, touching=touching)
    np.testing.assert_array_equal(volume(folder / "out.zarr"), expected)
    assert stitched.objects == expected.max() == len(np.unique(expected[expected > 0]))
    assert stitched.labels == sum(len(np.unique(part[part > 0])) for part in parts)
    array = open_array(folder / "out.zarr", "segmentation")
    assert array.offset == (-3,) * dims
    assert array.dtype == np.uint64


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_order_of_files_and_workers_change_nothing(tmp_path, workers) -> None:
    blocks = rough(BLOCKS)
    expected = stitch([b for _, b in blocks], [begin for begin, _ in blocks], rule=ROUGH)
    order = np.random.default_rng(workers).permutation(len(blocks))
    folder = saved(tmp_path / "in", blocks, order=order)
    asked = Stitch(rule=ROUGH, piece=(8, 8, 8), workers=Workers(count=workers))
    stitch_files(find_blocks(folder, SIZE), tmp_path / "out.zarr", settings=asked)
    np.testing.assert_array_equal(volume(tmp_path / "out.zarr"), expected)


def test_perfect_blocks_with_ids_up_to_the_largest(tmp_path) -> None:
    blocks = [(begin, labels.copy()) for begin, labels in BLOCKS]
    blocks[0][1][blocks[0][1] == blocks[0][1].max()] = 2**64 - 1
    found = find_blocks(saved(tmp_path / "in", blocks), SIZE)
    stitch_files(found, tmp_path / "a.zarr", settings=Stitch(rule=PERFECT))
    assert is_renaming(volume(tmp_path / "a.zarr"), LABELS)
    ledger = read_ledger(step_folder(tmp_path / "a.zarr", "labels"))
    assert ledger.block_rows(0, LABEL)["id"].max() == 2**64 - 1


@pytest.fixture
def files(tmp_path):
    return saved(tmp_path / "in", BLOCKS)


@pytest.mark.parametrize("is_small", [False, True])
def test_small_blocks_are_read_once(files, monkeypatch, is_small) -> None:
    from_disk, read = OpenFiles.from_disk, []

    def counted(self, index, roi):
        read.append(index)
        return from_disk(self, index, roi)

    monkeypatch.setattr(OpenFiles, "from_disk", counted)
    monkeypatch.setattr(labelled, "_SMALL", 8 * 9 * 10 if is_small else 1)
    opened = find_blocks(files, SIZE).open(files)
    expected, pairs = {tuple(begin): labels for begin, labels in BLOCKS}, opened.boxes.pairs()
    for pair in pairs.tolist():
        for index, roi in zip(pair, opened.boxes.compared(*pair), strict=True):
            begin = opened.boxes.roi(index).begin
            part = expected[tuple(begin)][(roi - begin).to_slices()]
            np.testing.assert_array_equal(opened.read(index, roi), part)
    assert len(read) == (len(BLOCKS) if is_small else 2 * len(pairs))


def test_goes_on_with_what_is_done_and_makes_anew_what_is_not(files, tmp_path) -> None:
    said: list[str] = []
    target = tmp_path / "a.zarr"

    def again(**changes):
        said.clear()
        asked = Stitch(**{"rule": PERFECT, "piece": (16, 16, 16), **changes})
        stitch_files(find_blocks(files, SIZE), target, settings=asked, progress=said.append)
        return volume(target)

    first = again()
    np.testing.assert_array_equal(again(), first)
    assert [line for line in said if line.endswith("all done before")] == [
        f"{name}: all done before" for name in ("labels", "joins", "stitched")
    ]
    other = again(rule=Rule(None, 10**6, 1, 1))
    assert "labels: all done before" in said
    assert any(line.startswith("joins: 36 blocks done") for line in said)
    assert other.max() > first.max()
    name = sorted(files.iterdir())[0]
    np.save(name, np.load(name) * 0)
    again()
    assert any(line.startswith("labels: 36 blocks done") for line in said)
    assert not volume(target)[:3, :3, :3].any()


def test_verify_finds_what_was_damaged(files, tmp_path) -> None:
    target = tmp_path / "a.zarr"
    stitch_files(find_blocks(files, SIZE), target, settings=Stitch(piece=(16, 16, 16)))
    before = volume(target)
    assert verify_blocks(target) == []
    [rows] = step_folder(target, "names").glob("*.rows")
    content = bytearray(rows.read_bytes())
    content[8] ^= 1
    rows.write_bytes(content)
    [chunk] = [
        p for p in (target / "segmentation" / "0").rglob("*") if p.parts[-3:] == tuple("110")
    ]
    chunk.unlink()
    assert len(verify_blocks(target)) == 2
    stitch_files(find_blocks(files, SIZE), target, settings=Stitch(piece=(16, 16, 16)))
    np.testing.assert_array_equal(volume(target), before)


def test_a_block_that_changes_meanwhile_is_told(files, tmp_path) -> None:
    found = find_blocks(files, SIZE)
    name = sorted(files.iterdir())[3]
    np.save(name, np.load(name)[:-1])
    with pytest.raises(BlocksFailed, match=rf"{name.name} was replaced since the run began"):
        stitch_files(found, tmp_path / "a.zarr", settings=Stitch())


def test_a_block_with_a_negative_id_is_named(tmp_path) -> None:
    blocks = [(begin, (labels // np.uint64(2)).astype(np.int64)) for begin, labels in BLOCKS]
    blocks[5][1][0, 0, 0] = -4
    files = saved(tmp_path / "in", blocks)
    with pytest.raises(BlocksFailed, match=r"z0_y6_x14.npy: ids are 0 .* got -4"):
        stitch_files(find_blocks(files, SIZE), tmp_path / "a.zarr", settings=Stitch())


class MadeJob(Job):
    """Blocks made on the fly: what each of a grid sees of LABELS, under ids of its own."""

    def open(self, container, worker):
        return Made()


GRID = tile(Roi((2, -3, 5), SHAPE), (7, 8, 9), step=(1, 1, 1), context=((2, 3, 1), (1, 2, 2)))


class Made:
    def read(self, block):
        roi = GRID.block(block.index).read.intersect(GRID.roi)
        labels = LABELS[(roi - GRID.roi.begin).to_slices()].copy()
        labels[labels > 0] += np.uint64(1000 * (block.index + 1))
        return labels

    def compute(self, block, source):
        return Output({"blocks": placed(source, GRID)})


def test_blocks_that_a_step_wrote_side_by_side(tmp_path) -> None:
    """As the last step of a chain in one container: nothing is read but what the steps wrote."""
    container, stored = tmp_path / "a.zarr", side_by_side(GRID)
    assert len(stored) == len(GRID)
    boxes = boxes_of(GRID)
    assert [boxes.roi(n) for n in range(len(boxes))] == [b.read.intersect(GRID.roi) for b in GRID]
    making = Step("making", container, stored, MadeJob(), arrays=("blocks",))
    prepare(making)
    create_array(
        container,
        "blocks",
        roi=stored.roi,
        voxel_size=(4, 4, 4),
        dtype=np.uint64,
        chunks=chunk_shape(stored.write_shape),
    )
    run(making)
    blocks = SideBySide.of(OwnArray.of(container, "blocks"), GRID)
    asked = Stitch(rule=PERFECT, piece=(16, 16, 16), levels=2)
    stitched = write_stitched(blocks, container, settings=asked, made_from=making.digest)
    found = open_array(container, "segmentation")
    assert found.roi == GRID.roi
    assert is_renaming(found.read(found.roi), LABELS)
    assert stitched.blocks == len(GRID)
    assert open_array(container, "segmentation/1").shape == tuple(-(-n // 2) for n in SHAPE)
    assert SideBySide.model_validate_json(blocks.model_dump_json()) == blocks


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 3).flatmap(
        lambda dims: st.lists(
            st.tuples(*[st.integers(-9, 9)] * dims, *[st.integers(1, 9)] * dims),
            min_size=1,
            max_size=12,
        )
    )
)
def test_neighbours_are_those_that_share_a_voxel(places) -> None:
    values = np.array(places, np.int64)
    dims = values.shape[1] // 2
    order = Boxes.order(values[:, :dims], values[:, dims:])
    values = values[order]
    boxes = Boxes(values[:, :dims], values[:, :dims] + values[:, dims:])
    for touching in (False, True):
        expected = []
        for i in range(len(boxes)):
            for j in range(i + 1, len(boxes)):
                one, other = boxes.roi(i), boxes.roi(j)
                shared = one.intersect(other)
                faces = [
                    axis
                    for axis in range(dims)
                    if one.end[axis] == other.begin[axis] or other.end[axis] == one.begin[axis]
                ]
                overlaps = [
                    min(one.end[a], other.end[a]) > max(one.begin[a], other.begin[a])
                    for a in range(dims)
                ]
                face = touching and len(faces) >= 1 and sum(overlaps) == dims - 1
                is_face = face and all(overlaps[a] or a in faces for a in range(dims))
                if not shared.empty or is_face:
                    expected.append([i, j])
                    here, there = boxes.compared(i, j)
                    assert here.shape == there.shape
                    assert here.size > 0
                    assert one.contains(here)
                    assert other.contains(there)
        assert boxes.pairs(touching=touching).tolist() == expected
        beside = [boxes.neighbours(i, touching=touching) for i in range(len(boxes))]
        assert [[i, j] for i, near in enumerate(beside) for j in near if j > i] == expected
