"""Reading, computing and writing at the same time changes nothing but the time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.running.stream import stream

BLOCKS = list(tile(Roi((0,), (20,)), (4,), step=(4,), context=((0,), (0,))))


def test_blocks_come_in_order_with_what_was_read():
    written = {}
    done = stream(
        BLOCKS,
        lambda x: x * 10,
        read=lambda b: b.index,
        write=lambda b, x: written.update({b.index: x}),
    )
    assert [block.index for block in done] == [0, 1, 2, 3, 4]
    assert written == {0: 0, 1: 10, 2: 20, 3: 30, 4: 40}


def test_nothing_to_do():
    assert list(stream([], lambda x: x, read=lambda b: b, write=lambda b, x: None)) == []


def test_computes_in_the_calling_thread():
    threads = {"read": set(), "compute": set(), "write": set()}

    def note(what):
        threads[what].add(threading.get_ident())

    list(
        stream(
            BLOCKS,
            lambda _: note("compute"),
            read=lambda b: note("read"),
            write=lambda b, x: note("write"),
        )
    )
    assert threads["compute"] == {threading.get_ident()}
    assert len(set.union(*threads.values())) == 3


def test_reading_and_writing_overlap_computing():
    """While block 2 is computed, 3 is read and 1 is written: each waits there for the other two, or
    breaks."""
    meeting = threading.Barrier(3, timeout=60)

    def meet(who, index):
        if (who, index) in {("read", 3), ("compute", 2), ("write", 1)}:
            meeting.wait()
        return index

    done = stream(
        BLOCKS,
        lambda i: meet("compute", i),
        read=lambda b: meet("read", b.index),
        write=lambda b, _: meet("write", b.index),
    )
    assert [block.index for block in done] == [0, 1, 2, 3, 4]


def test_blocks_that_wait_to_be_written_stop_the_reading():
    """While block 0 is not written, 1 is computed and 2 is read, and no other is."""
    read, computed, go_on = [], [], threading.Event()
    done = stream(
        BLOCKS,
        lambda index: computed.append(index) or index,
        read=lambda b: read.append(b.index) or b.index,
        write=lambda *_: go_on.wait(60),
    )
    with ThreadPoolExecutor(1) as pool:
        order = pool.submit(lambda: [block.index for block in done])
        while len(read) < 3 or len(computed) < 2:
            time.sleep(0.01)
        # time for more, if more were read
        time.sleep(0.2)
        assert (read, computed) == ([0, 1, 2], [0, 1])
        go_on.set()
        assert order.result() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_an_error_anywhere_is_raised(where):
    def fail(name):
        def step(*arguments):
            if name == where:
                raise OSError(f"broken {name}")
            return arguments[0]

        return step

    with pytest.raises(OSError, match=f"broken {where}"):
        list(stream(BLOCKS, fail("compute"), read=fail("read"), write=fail("write")))


def test_what_was_computed_before_an_error_is_written():
    written = []

    def compute(index):
        if index == 3:
            raise MemoryError
        return index

    with pytest.raises(MemoryError):
        list(stream(BLOCKS, compute, read=lambda b: b.index, write=lambda b, x: written.append(x)))
    assert written == [0, 1, 2]
