import os
import signal

import pytest
from tiny_run import config, curve

from lsd.training.devices.ranks import Ranks
from lsd.training.interrupt import interruptible
from lsd.training.loop import train


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_noted_second_stops(number) -> None:
    before = signal.getsignal(number)
    with interruptible() as interrupt:
        assert not interrupt
        os.kill(os.getpid(), number)
        assert interrupt
        assert interrupt.signal == number.name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_signal_after_that_of_another_process_is_the_first() -> None:
    """All processes of a run are sent one; who heard of it by another ends as orderly."""
    with interruptible() as interrupt:
        interrupt.signal = "a signal to another of its processes"
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.signal == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("iterations", [1, 3])
def test_no_process_stops_before_it_told_the_others(tmp_path, monkeypatch, iterations) -> None:
    """The signal comes right after it was asked for: whoever left alone, others would wait for."""
    asked: list[bool] = []

    def ask(ranks: Ranks, said: bool) -> bool:
        asked.append(said)
        if len(asked) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return said

    monkeypatch.setattr(Ranks, "any", ask)
    run = config(tmp_path, iterations=iterations)
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted by SIGTERM in iteration 1 "):
        train(run, progress=False)
    assert asked == [False, True]
    assert len(curve(run, "main")) == 1
