"""The command that checks a GPU, on the CPU: what is said of lines, and what a failure stops."""

import json

import torch

from benchmarks import gpu
from benchmarks.gpu import computed, steps
from benchmarks.gpu.line import Line, Setting, at_most


def _breaks(setting: Setting):
    yield Line("before", 1.0, "ms")
    raise RuntimeError("no kernel image")


def _works(setting: Setting):
    yield at_most("after", 0.5, 1.0)


def test_a_line_that_fails_stops_no_other(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(gpu, "CHECKS", (_breaks, _works))
    assert gpu.main(["--device", "cpu", "--out", str(tmp_path)]) == 1
    [file] = tmp_path.glob("gpu-*.json")
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["card"]["name"].startswith("none")
    assert [(line["what"], line["ok"]) for line in found["lines"]] == [
        ("before", None),
        ("_breaks", False),
        ("after", True),
    ]
    assert "no kernel image" in found["lines"][1]["found"]
    assert gpu.main(["_works", "--device", "cpu", "--out", str(tmp_path)]) == 0


def test_a_check_that_comes_too_late_is_a_failure(monkeypatch) -> None:
    monkeypatch.setattr(gpu, "PATIENCE", -1.0)
    [line] = gpu.run([_works], device="cpu")
    assert (line.what, line.ok) == ("_works", False)


def test_what_is_not_a_number_fails() -> None:
    assert at_most("it", float("nan"), 1.0).ok is False


def test_losses_of_another_device_are_noticed(tmp_path, monkeypatch) -> None:
    """A device that rounds to three digits."""
    setting = Setting(torch.device("cpu"), tmp_path)
    assert all(line.ok for line in computed.losses_equal(setting))
    calls = iter(range(10**6))
    exact = computed._loss

    def rough(kind, device):
        value, gradient = exact(kind, device)
        return (value, gradient) if next(calls) % 2 == 0 else (value * 1.001, gradient)

    monkeypatch.setattr(computed, "_loss", rough)
    lines = list(computed.losses_equal(setting))
    assert not any(line.ok for line in lines if line.what.endswith("value"))
    assert all(line.ok for line in lines if line.what.endswith("gradient"))


def test_an_overflow_is_seen(tmp_path) -> None:
    first, second = steps.overflow(Setting(torch.device("cpu"), tmp_path))
    assert first.ok, str(first)
    assert second.ok, str(second)
    assert 2 < int(second.found) < 30, "2^30 has to come down to what the network takes"
