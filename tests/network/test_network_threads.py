"""Threads of a network: as asked, no more than cores where nobody asked, and inside only."""

import os

import pytest
import torch

from lsd.network.threads import computing_with, threads


def test_threads_are_set_inside_only() -> None:
    before = torch.get_num_threads()
    with computing_with(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(RuntimeError, match="in the midst"), computing_with(before + 1):
        raise RuntimeError("in the midst")
    assert torch.get_num_threads() == before


def test_no_more_than_cores_unless_somebody_asks(monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for there, used in ((3, 3), (16, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, there=there: range(there))
        assert threads(None) == used
        assert threads(5) == 5
