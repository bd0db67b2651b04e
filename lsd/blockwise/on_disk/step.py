"""A step: one function over the blocks of a region, and all that another process must know to take
part.

A step belongs to a container (a zarr folder) and leaves there, for each block, its part of some
arrays, or rows of a table, or both.  What is known of its blocks stands in
<container>/blocks/<name>: see `ledger`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.blockwise.on_disk.grid import Grid
from lsd.blockwise.on_disk.job import Job, Recorded
from lsd.blockwise.on_disk.output import Function
from lsd.system.atomic import write_text

# characters of a value in a message
_LONGEST = 80


@dataclass(frozen=True, eq=False)
class Step:
    """One function over the blocks of a grid.

    name:      of the step within its container, also of its folder
    container: zarr folder that holds the arrays
    job:       the function and all that it is given
    arrays:    names in the container; their chunks lie within one block each
    rows:      dtype of the table, None: there is none
    """

    name: str
    container: Path
    grid: Grid
    job: Job | Recorded
    arrays: tuple[str, ...] = ()
    rows: np.dtype[Any] | None = None

    @property
    def folder(self) -> Path:
        """What is known of the blocks."""
        return step_folder(self.container, self.name)

    def depends_on(self) -> dict[str, Any]:
        """Everything that the output follows from, as it is compared and stored: the job and the
        blocks."""
        blocks = {
            "roi": _roi(self.grid.roi),
            "blocks": list(self.grid.write_shape),
            "context": _context(self.grid),
        }
        return cast(
            dict[str, Any],
            json.loads(json.dumps({"step": self.name, **blocks, "inputs": self.job.fingerprint()})),
        )

    @property
    def digest(self) -> str:
        """sha256 of all that the output follows from: it stands for it in what is made from this
        step."""
        return fingerprint_digest(self.depends_on())

    def differs(self, recorded: Step) -> list[str]:
        """What a step on disk differs in from this one, in words; empty where they are equal."""
        if recorded.is_older:
            return [
                "it is of an earlier version, which did not note all that its results depend on"
            ]
        return differences(
            recorded.depends_on(),
            self.depends_on(),
            words={f"inputs.{k}": v for k, v in self.job.words().items()},
        )

    @property
    def is_older(self) -> bool:
        """Whether it was written by a version that did not record jobs."""
        return isinstance(self.job, Recorded) and not self.job.content

    def save(self) -> None:
        """Writes step.json, whole or not at all."""
        content = {
            "depends_on": self.depends_on(),
            "job": self.job.record(),
            "arrays": self.arrays,
            "rows": None if self.rows is None else self.rows.descr,
            "grid": {
                "roi": _roi(self.grid.roi),
                "write_shape": list(self.grid.write_shape),
                "compute_shape": list(self.grid.compute_shape),
                "context": [list(side) for side in self.grid.context],
                "lead": list(self.grid.lead),
            },
        }
        write_text(
            self.folder / "step.json",
            json.dumps(content, indent=1),
            many_writers=False,
            durable=False,
        )

    def open(self, worker: int) -> Function:
        """The function, set up in this process."""
        return self.job.open(self.container, worker)


def load_step(folder: Path, function: str = "") -> Step:
    """The step whose step.json lies in `folder`.

    function: "package.module:Class" of its job; it is never read from an output folder.  Without it
              the step can only be
    looked at.  Raises ValueError if there is none, or it cannot be read.
    """
    try:
        content = json.loads((folder / "step.json").read_bytes())
        grid, depends_on = content["grid"], content["depends_on"]
        return Step(
            name=depends_on["step"],
            container=container_of(folder),
            grid=Grid(
                roi=Roi(*grid["roi"]),
                write_shape=Coordinate(grid["write_shape"]),
                compute_shape=Coordinate(grid["compute_shape"]),
                context=(Coordinate(grid["context"][0]), Coordinate(grid["context"][1])),
                lead=Coordinate(grid["lead"]),
            ),
            job=_job(content, function),
            arrays=tuple(content["arrays"]),
            rows=None
            if content["rows"] is None
            else np.dtype([(name, kind) for name, kind in content["rows"]]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / 'step.json'} cannot be read ({error}); delete {folder} and run the step "
            f"again"
        ) from error


def _job(content: Mapping[str, Any], function: str) -> Job | Recorded:
    if not function:
        # a version that did not record jobs wrote its fingerprint beside the blocks
        return Recorded(dict(content["depends_on"].get("inputs", {})), dict(content.get("job", {})))
    module, _, name = function.partition(":")
    return cast(Job, getattr(importlib.import_module(module), name).model_validate(content["job"]))


def step_folder(container: Path, name: str) -> Path:
    """<container>/blocks/<name>."""
    return container / "blocks" / name


def container_of(folder: Path) -> Path:
    """The container that a step's folder lies in."""
    return folder.parent.parent


def fingerprint_digest(depends_on: Mapping[str, Any]) -> str:
    """sha256 of a fingerprint, JSON; the order of its fields does not matter."""
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def differences(
    recorded: Mapping[str, Any],
    wanted: Mapping[str, Any],
    prefix: str = "",
    *,
    words: Mapping[str, str] | None = None,
) -> list[str]:
    """What two fingerprints differ in: "settings.precision: fp32 there, bf16 asked for".

    recorded: on disk; wanted: now
    words:    the line for a field, by its dotted path, where values tell a person nothing
    """
    lines = []
    for key in sorted({*recorded, *wanted}):
        old, new, path = recorded.get(key), wanted.get(key), f"{prefix}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{path}.", words=words)
        elif old != new:
            values = f"{_shown(old, beside=new)} there, {_shown(new, beside=old)} asked for"
            lines.append((words or {}).get(path) or f"{path.removeprefix('inputs.')}: {values}")
    return lines


def _shown(value: Any, *, beside: Any) -> str:
    """A value in a message beside the one that it differs from.  What is long says no more than
    that it is there, a context that is alike on both sides is one, and a kind that is written by
    its name alone has its defaults where the other one lists fields of the same."""
    if isinstance(value, str) and isinstance(beside, dict) and beside.get("kind") == value:
        return f"{value} with its defaults"
    if isinstance(value, dict) and "kind" in value and isinstance(beside, str):
        fields = ", ".join(f"{name}={field}" for name, field in value.items() if name != "kind")
        text = f"{value['kind']} with {fields}"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    is_pair = (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], list)
        and value[0] == value[1]
    )
    text = str(value[0] if is_pair else value)
    return (
        text
        if len(text) <= _LONGEST
        else "another"
        if isinstance(value, dict)
        else f"{text[:_LONGEST]}..."
    )


def _roi(roi: Roi) -> list[list[int]]:
    return [[int(n) for n in roi.begin], [int(n) for n in roi.shape]]


def _context(grid: Grid) -> list[list[int]]:
    first = grid.block(0)
    below, above = (
        first.write.begin - first.read.begin,
        first.read.end - first.write.begin - grid.write_shape,
    )
    return [[int(n) for n in below], [int(n) for n in above]]
