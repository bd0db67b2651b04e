import os
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest

from lsd.batches.mailbox import Closed, receive, send
from lsd.batches.workers import BatchWorkers


def squares(base):
    """Sleeps so that later things are ready before earlier ones."""

    def make(index):
        time.sleep(0.05 * (index % 3 == 0))
        return {"index": index, "array": np.full((2, 3), base + index * index), "pid": os.getpid()}

    return make


def failing(index):
    def make(number):
        if number == index:
            raise ValueError(f"no {number}, volume 'x' is empty")
        return number

    return make


def refusing(_):
    raise OSError("cannot open")


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def odd(_):
    def make(_):
        raise Unpicklable("odd", lambda: 0)

    return make


def dying(how):
    def make(index):
        if index == 1:
            os.kill(os.getpid(), how)
        return index

    return make


def environment(_):
    return lambda _: (
        os.environ["OMP_NUM_THREADS"],
        "torch" in sys.modules,
        signal.getsignal(signal.SIGINT),
    )


def test_in_order_from_any_number_by_any_count():
    for count, start in ((1, 0), (3, 5)):
        with BatchWorkers(squares, 10, count=count, start=start) as workers:
            made = [next(workers) for _ in range(7)]
            assert [one["index"] for one in made] == list(range(start, start + 7))
            assert len({one["pid"] for one in made} - {os.getpid()}) == count
        for one in made:  # arrays outlive their workers
            np.testing.assert_array_equal(one["array"], np.full((2, 3), 10 + one["index"] ** 2))
            one["array"] += 1


def test_workers_are_alone_on_one_thread_without_torch():
    with BatchWorkers(environment, None, count=1) as workers:
        assert next(workers) == ("1", False, signal.SIG_IGN)


def test_an_exception_is_raised_here_in_its_turn_with_the_traceback():
    with BatchWorkers(failing, 2, count=2) as workers:
        assert [next(workers), next(workers)] == [0, 1]
        with pytest.raises(ValueError, match="volume 'x' is empty") as caught:
            next(workers)
        assert "in make" in caught.value.__notes__[0]
        assert "batch 2" in caught.value.__notes__[0]


def test_a_failure_to_start_is_raised_with_the_first():
    with (
        BatchWorkers(refusing, None, count=1) as workers,
        pytest.raises(OSError, match="cannot open"),
    ):
        next(workers)


def test_an_exception_that_cannot_be_sent_becomes_words():
    with (
        BatchWorkers(odd, None, count=1) as workers,
        pytest.raises(RuntimeError, match="Unpicklable: odd"),
    ):
        next(workers)


@pytest.mark.parametrize(
    ("how", "word"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV")]
)
def test_a_dead_worker_is_an_error_not_a_hang(how, word):
    with BatchWorkers(dying, how, count=1) as workers:
        assert next(workers) == 0
        with pytest.raises(RuntimeError, match=rf"killed by {word}.*train\.workers"):
            next(workers)


def test_closing_ends_the_processes_even_busy_ones():
    workers = BatchWorkers(squares, 0, count=2)
    pids = {next(workers)["pid"] for _ in range(2)}
    began = time.monotonic()
    workers.close()
    workers.close()
    assert time.monotonic() - began < 5
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    "message",
    [
        None,
        {"a": np.arange(5), "b": [np.zeros((0, 3)), "text"], "c": np.float32(2)},
        np.random.default_rng(0).random((300, 300, 30)),
        [np.asfortranarray(np.arange(12).reshape(3, 4)), np.arange(20)[::2]],
    ],
    ids=["none", "mixed", "large", "strided"],
)
def test_messages_arrive_as_they_were_sent(message):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send, args=(ours, message))
        sender.start()
        np.testing.assert_equal(receive(theirs), message)
        sender.join()


def test_a_closed_socket_is_closed_at_either_end():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        with pytest.raises(Closed):
            receive(ours)
        with pytest.raises(Closed):
            send(ours, 1)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_no_descriptor_is_left_open():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            send(ours, np.arange(1000))
            assert receive(theirs).sum() == 499500
        assert len(os.listdir("/proc/self/fd")) == before


def freezing(_):
    def make(index):
        if index >= 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        return os.getpid()

    return make


@pytest.mark.faults
def test_frozen_processes_are_not_waited_for_once_training_is_to_stop():
    """And all of them are killed in the time of one."""
    stop, began = [], time.monotonic()
    with BatchWorkers(freezing, None, count=3, stop=lambda: bool(stop)) as workers:
        pids = [next(workers) for _ in range(2)]
        threading.Timer(2.0, stop.append, [True]).start()
        with pytest.raises(RuntimeError, match="does not make batch 2, it may be frozen"):
            next(workers)
        assert time.monotonic() - began > 2
        pids += [worker._process.pid for worker in workers._processes]
    assert time.monotonic() - began < 25
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
