"""Blocks when something goes really wrong: torn chunks, full disks, no memory, locks, volumes
beyond all numbers."""

import json
import multiprocessing
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from test_run import HERE, TWO, check
from toy import step

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.running.run import BlocksFailed, run
from lsd.segmentation.decoders.watershed import WatershedDecoder
from lsd.segmentation.on_disk.tables import FragmentPlaces, open_table, write_tables
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs, voxels_per_block
from lsd.segmentation.predicted import prediction_input
from lsd.spec import Affinities, Segment
from lsd.volumes.create import create_array


def partial_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial"))


def test_a_chunk_that_was_torn_is_written_again(tmp_path) -> None:
    """SIGKILL when half of the chunk is on disk."""
    made = step(tmp_path, wrong={4: "tear", 17: "tear"})
    assert run(made, workers=TWO).retried >= 2
    check(made)
    assert partial_files(tmp_path) == []


@pytest.mark.parametrize("workers", [HERE, TWO], ids=["here", "two"])
def test_a_full_disk_is_named_and_the_run_goes_on_when_it_is_not(
    tmp_path, small_disk, workers
) -> None:
    folder = tmp_path / "small"
    small_disk(folder, 1 << 20)
    made = step(folder)
    (folder / "ballast").write_bytes(bytes(shutil.disk_usage(folder).free - (80 << 10)))
    with pytest.raises(
        (OSError, RuntimeError),
        match=r"No space left on device.*make room, then the same command goes on",
    ):
        run(made, workers=workers)
    done = len(read_ledger(made.folder))
    assert done < len(made.grid)
    small_disk(folder, 2 << 20)
    assert run(step(folder), workers=workers).skipped == done
    check(made)


@pytest.mark.parametrize("workers", [HERE, TWO.derive(retries=0)], ids=["here", "two"])
def test_a_block_without_memory_says_so(tmp_path, workers) -> None:
    made = step(tmp_path, wrong={5: "memory"})
    with pytest.raises(
        BlocksFailed,
        match=r"1 of 24 blocks of toy failed(.|\n)*block 5 .*out of memory: Unable to allocate",
    ):
        run(made, workers=workers)
    assert read_ledger(made.folder).missing(24).tolist() == [5]
    run(step(tmp_path))
    check(made)


def _gone() -> int:
    """The number of a process that has ended."""
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    return process.pid


def _race(target, barrier, end, won) -> None:
    barrier.wait()
    try:
        with exclusive(target):
            won.put(os.getpid())
            end.wait()
    except RuntimeError:
        won.put(None)


def test_one_of_many_takes_a_stale_lock(tmp_path) -> None:
    """Several runs are started again at once after a crash."""
    context, count = multiprocessing.get_context("fork"), 6
    for number in range(3):
        target = tmp_path / f"{number}.zarr"
        stale = {"host": socket.gethostname(), "pid": _gone(), "started": 1}
        target.with_name(f"{target.name}.lock").write_text(json.dumps(stale))
        barrier, end, won = context.Barrier(count), context.Event(), context.SimpleQueue()
        processes = [
            context.Process(target=_race, args=(target, barrier, end, won)) for _ in range(count)
        ]
        for process in processes:
            process.start()
        holders = [won.get() for _ in processes]
        end.set()
        for process in processes:
            process.join()
        assert sum(holder is not None for holder in holders) == 1


FAR = Coordinate((1 << 20,) * 3)
SIZE = 16


def test_ids_beyond_floating_point_are_exact(tmp_path) -> None:
    """The last corner of a volume of 2**60 voxels is segmented as the same affinities are in a
    small volume."""
    affs = np.random.default_rng(3).integers(0, 256, (3, 48, 48, 48)).astype(np.uint8)
    small = _segmented(
        tmp_path / "small", Roi((0, 0, 0), (48, 48, 48)), Roi((0, 0, 0), (48, 48, 48)), affs
    )
    corner = Roi(FAR - Coordinate((48,) * 3), (48, 48, 48))
    huge = _segmented(tmp_path / "huge", Roi((0, 0, 0), FAR), corner, affs)
    assert huge[0].dtype == np.uint64
    assert int(huge[0].max()) > 1 << 59
    assert small[2], "blocks are joined"
    assert [list(part) for part in huge[2]] == [list(part) for part in small[2]]
    np.testing.assert_array_equal(huge[1], small[1])


def _segmented(folder: Path, whole: Roi, corner: Roi, affs):
    """(ids, ids as number in their block, edges as ((position, number), ...)) of the last 2x2x2
    blocks of `whole`."""
    source = create_array(
        folder,
        "affs",
        roi=whole,
        voxel_size=(4, 4, 4),
        dtype=np.uint8,
        channels=3,
        chunks=(SIZE,) * 3,
    )
    source.write(affs, corner)
    options = {"roi": whole, "voxel_size": (4, 4, 4), "chunks": (SIZE,) * 3}
    written = create_array(folder, "fragments", dtype=np.uint64, **options)
    uncut = create_array(folder, "uncut", dtype=np.uint8, **options)
    grid = tile(whole, (SIZE,) * 3, step=(1, 1, 1), context=((4, 4, 4), (4, 4, 4)))
    # a revision: nobody looks at 2**48 chunks
    settings = Segment(
        fragments={"min_seed_distance": 4},
        block=(SIZE,) * 3,
        context=(4, 4, 4),
        revision="this test",
    )
    given = prediction_input(source, revision=settings.revision)
    heads = {"affs": HeadInput(given, Affinities().neighborhood)}
    inputs, decoder = Inputs(settings, whole, heads, None), WatershedDecoder(settings.decoder)
    apart, make = voxels_per_block(grid), decoder.first(inputs, folder).open(0)
    rows = int(grid.shape[0])
    last = [
        ((z * rows) + y) * rows + x
        for z in (rows - 2, rows - 1)
        for y in (rows - 2, rows - 1)
        for x in (rows - 2, rows - 1)
    ]
    blocks, place = (
        [grid.block(index) for index in last],
        {index: position for position, index in enumerate(last)},
    )
    # what lies around them
    written.write(np.zeros(corner.shape, np.uint64), corner)
    for block in blocks:
        output = make.compute(block, make.read(block))
        written.write(output.arrays["fragments"], block.write)
        uncut.write(output.arrays["uncut"], block.write)
    ids = written.read(Roi(corner.begin + Coordinate((SIZE,) * 3), (2 * SIZE,) * 3))
    join = decoder.edges_of_blocks(inputs, folder).open(0)
    contacts = decoder.contacts(inputs, folder).open(0)
    found = [
        step.compute(block, step.read(block)).rows for step in (join, contacts) for block in blocks
    ]
    named = [
        [(_name(u, apart, place), _name(v, apart, place), *said) for u, v, *said in part.tolist()]
        for part in found
    ]
    return ids, np.array([(int(n) - 1) % apart for n in ids.flat if n]), named


def _name(fragment: int, apart: int, place: dict[int, int]) -> tuple[int, int]:
    block, number = divmod(fragment - 1, apart)
    return place[block], number


def test_tables_of_ids_beyond_floating_point(tmp_path) -> None:
    """4096 blocks of 2**48 voxels: ids up to 2**60."""
    counts, apart = np.arange(4096) % 3, 1 << 48
    places = FragmentPlaces.of(counts, apart)
    ids = [
        block * apart + n + 1 for block, count in enumerate(counts.tolist()) for n in range(count)
    ]
    assert places.ids(0, len(places)).tolist() == ids
    assert places.place_of(np.array(ids, np.uint64)).tolist() == list(range(len(ids)))
    for stranger in (ids[-1] + 1, ids[-1] + apart, 1, 2**64 - 1):
        with pytest.raises(ValueError, match=f"fragment {stranger} is none of"):
            places.place_of(np.array([stranger], np.uint64))
    edges = np.array(
        [(ids[-2], ids[-1], 0.1), (ids[0], ids[-1], 0.3)],
        [("u", "<u8"), ("v", "<u8"), ("score", "<f4")],
    )
    write_tables(
        tmp_path, (0.2, 0.4), places=places, edges=lambda: iter([edges]), names=str, made_from="x"
    )
    low, high = open_table(tmp_path, "0.2"), open_table(tmp_path, "0.4")
    assert low.look_up(np.array([*ids[-2:], 0], np.uint64)).tolist() == [ids[-2], ids[-2], 0]
    assert high.look_up(np.array(ids[-2:], np.uint64)).tolist() == [ids[0], ids[0]]
    assert high.of_block(4094).tolist() == [ids[0]] * 2
