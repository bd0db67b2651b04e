"""That a run failed, kept in its folder for other processes of the same sweep: none of them need
find out again, perhaps after hours."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lsd.system.atomic import write_text

FAILURE = "failure.json"


@dataclass(frozen=True)
class Failure:
    """said: by the run;  depends_on: digest of what it follows from, see `lsd.sweep.basis`
    name: another one each time, so that nobody need compare clocks of machines
    """

    said: str
    depends_on: str
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def save(self, folder: Path) -> None:
        """Writes it into the run's folder, whole or not at all."""
        write_text(folder / FAILURE, json.dumps(asdict(self), indent=1) + "\n")


def read_failure(folder: Path) -> Failure | None:
    """The failure in a run's folder; None where there is none that can be read."""
    try:
        return Failure(**json.loads((folder / FAILURE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget_failure(folder: Path) -> None:
    """The run is tried again, or was done."""
    (folder / FAILURE).unlink(missing_ok=True)


def names_of_failures(folders: Iterable[Path]) -> frozenset[str]:
    """Of failures that are there now, which the next try may not have."""
    found = map(read_failure, folders)
    return frozenset(failure.name for failure in found if failure)
