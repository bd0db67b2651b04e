"""Reading, computing and writing at the same time changes nothing but the time."""

import threading
import time

import pytest
from funlib.geometry import Roi

from lsd.blockwise.grid import tile
from lsd.blockwise.stream import stream

BLOCKS = list(tile(Roi((0,), (20,)), (4,), step=(4,), context=((0,), (0,))))


def test_blocks_come_in_order_with_what_was_read():
    written = {}
    done = stream(BLOCKS, lambda x: x * 10, read=lambda b: b.index, write=lambda b, x: written.update({b.index: x}))
    assert [block.index for block in done] == [0, 1, 2, 3, 4]
    assert written == {0: 0, 1: 10, 2: 20, 3: 30, 4: 40}


def test_nothing_to_do():
    assert list(stream([], lambda x: x, read=lambda b: b, write=lambda b, x: None)) == []


def test_computes_in_the_calling_thread():
    threads = {"read": set(), "compute": set(), "write": set()}

    def note(what):
        threads[what].add(threading.get_ident())

    list(stream(BLOCKS, lambda _: note("compute"), read=lambda b: note("read"), write=lambda b, x: note("write")))
    assert threads["compute"] == {threading.get_ident()}
    assert len(set.union(*threads.values())) == 3


def test_reading_and_writing_overlap_computing():
    def slow(*_):
        time.sleep(0.05)

    begin = time.perf_counter()
    list(stream(BLOCKS, slow, read=slow, write=slow))
    assert time.perf_counter() - begin < 0.05 * (len(BLOCKS) + 2) + 0.1


def test_at_most_two_blocks_are_read_ahead_of_the_writes():
    read, written, ahead = [], [], []

    def compute(index):
        ahead.append(len(read) - len(written))
        return index

    list(stream(BLOCKS, compute, read=lambda b: read.append(b.index) or b.index, write=lambda b, x: written.append(x)))
    assert max(ahead) <= 4


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
