"""What checks are given, and what they say."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lsd.prediction.predictor import choose_device
from lsd.system.cores import cores


@dataclass(frozen=True)
class Setting:
    """Where it is done.  folder: for what is written, and deleted afterwards."""

    device: torch.device
    folder: Path

    @property
    def rehearsal(self) -> bool:
        """Whether there is no GPU, so that shapes are small."""
        return self.device.type == "cpu"

    @property
    def workers(self) -> int:
        """Processes that can make batches beside this one."""
        return max(1, cores() - 1)

    def wait(self) -> None:
        """Until the device has done all that it was asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Line:
    """What was looked at, and what was found.  ok: None where nothing is wanted of the value."""

    what: str
    found: float | str
    unit: str = ""
    wanted: str = ""
    ok: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAIL", None: ""}[self.ok]
        found = f"{self.found:.4g}" if isinstance(self.found, float) else str(self.found)
        wanted = f"  (wanted: {self.wanted})" if self.wanted else ""
        return f"{mark:5} {self.what}: {found}{f' {self.unit}' if self.unit else ''}{wanted}"


def at_most(what: str, found: float, most: float, unit: str = "") -> Line:
    """A line that fails above a value, or where there is none."""
    return Line(what, found, unit, wanted=f"at most {most:g}", ok=found <= most)


def holds(what: str, found: object, ok: bool, wanted: str) -> Line:
    """A line that fails where something does not hold."""
    return Line(what, str(found), wanted=wanted, ok=ok)


def on_device(name: str) -> torch.device:
    """The device that a name means; "cuda" with its number."""
    device = choose_device(name)
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def described(name: str) -> dict[str, Any]:
    """The card, and what numbers depend on beside it."""
    device = on_device(name)
    card = "none (rehearsal on the CPU)"
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        card = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return {
        "name": card,
        "device": str(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cores": cores(),
        "python": platform.python_version(),
    }
