"""Rates that leave the start out, against a clock that is set by hand."""

import time

import pytest

from lsd.blockwise.rate import LAST, Bar, Rate


@pytest.fixture
def clock(monkeypatch):
    """A function that lets so many seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def _each(clock, told, seconds, times=1):
    for _ in range(times):
        clock(seconds)
        told.add()


def test_the_start_is_no_part_of_it(clock) -> None:
    told = Rate()
    _each(clock, told, 100)
    assert (told.now, told.overall) == (None, None)
    _each(clock, told, 0.5, times=4)
    assert told.now == told.overall == pytest.approx(2)


def test_it_is_that_of_the_last(clock) -> None:
    told = Rate()
    _each(clock, told, 10, times=3 * LAST)
    _each(clock, told, 0.1, times=LAST)
    assert told.now == pytest.approx(10)
    assert told.overall == pytest.approx((4 * LAST - 1) / (10 * (3 * LAST - 1) + 0.1 * LAST))


def test_what_is_left_out_is_left_out(clock) -> None:
    told = Rate()
    _each(clock, told, 7)
    for _ in range(5):
        _each(clock, told, 0.25)
        clock(50)
        told.leave_out()
    assert told.now == told.overall == pytest.approx(4)


@pytest.mark.parametrize("parallel", [1, 4, 7])
def test_several_at_once(clock, parallel) -> None:
    """Each takes 10 s, all end together, and the first of each takes a minute longer; told one by
    one, or at once."""
    for at_once in (False, True):
        told = Rate(parallel=parallel)
        clock(70)
        for round_ in range(6):
            clock(10 * (round_ > 0))
            for done in [parallel] if at_once else [1] * parallel:
                told.add(done)
            if round_ == 0:
                assert told.now is None
            else:
                assert told.now == told.overall == pytest.approx(parallel / 10)


def test_the_bar_shows_it_and_the_time_left(clock, capsys) -> None:
    with Bar(total=10, unit="block", mininterval=0) as bar:
        for seconds, rate in ((60, "?block/s"), (2, "2.00s/block"), (2, "2.00s/block")):
            clock(seconds)
            bar.speed.add()
            bar.update()
            said = capsys.readouterr().err.rpartition("\r")[2]
            assert rate in said.replace(" ", "")
        assert "3/10" in said
        assert "<00:14" in said
