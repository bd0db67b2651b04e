"""A job: all that a block function is given, in one frozen value.

It is the function's arguments, what is written of them on disk, and the fingerprint of the results,
all at once:

    class Heads(Job):
        version: Version = 1
        raw: VolumeInput
        settings: Predict

        def open(self, container, worker):
            return _Heads(self, container)

The function has no other way to get an input, so none can be forgotten in the fingerprint.  A field
that changes no value is left out of it by an act that can be read: `Annotated[Workers,
NoEffect("why")]` (`lsd.spec.effect`).  The version is raised when the same inputs would give other
values than before.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel

from lsd.blockwise.on_disk.output import Function
from lsd.spec import Spec
from lsd.spec.effect import Wording, effective, wordings
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput

Version = Annotated[
    int, Wording("another version of this program made it, which computes it otherwise")
]


class Job(Spec):
    """See the module."""

    version: Version = 1

    @abstractmethod
    def open(self, container: Path, worker: int) -> Function:
        """The function, set up in this process.

        container: that the step writes to; worker: number of the process on its machine, 0 and up,
                   which picks its device
        """

    @property
    def function(self) -> str:
        """Where another process finds the class: "package.module:Class"."""
        return f"{type(self).__module__}:{type(self).__qualname__}"

    def record(self) -> dict[str, Any]:
        """The whole value, as JSON, from which another process makes it again."""
        return self.model_dump(mode="json")

    def fingerprint(self) -> dict[str, Any]:
        """All of it that has an effect, as JSON."""
        fields: dict[str, Any] = json.loads(json.dumps(effective(self)))
        return fields

    def words(self) -> dict[str, str]:
        """How it is said that a field differs, by dotted path, where its values would not tell a
        person anything."""
        return wordings(self)

    def changed(self, container: Path) -> list[str]:
        """The inputs that are no longer what they were when the job was made, in words."""
        return [line for value in _values(self) for line in _changed(value, container)]


@dataclass(frozen=True)
class Recorded:
    """A job as it stands on disk, without the class that knows it: to be looked at and compared,
    not to be opened."""

    inputs: Mapping[str, Any]
    content: Mapping[str, Any]
    function: str = ""

    def open(self, container: Path, worker: int) -> NoReturn:
        """Raises ValueError: what is to be run is never read from an output folder."""
        raise ValueError(
            "a step that was read from disk can only be looked at; no module is named to run it"
        )

    def record(self) -> dict[str, Any]:
        """As it was read."""
        return dict(self.content)

    def fingerprint(self) -> dict[str, Any]:
        """As it was noted."""
        return dict(self.inputs)

    def words(self) -> dict[str, str]:
        """None: values are shown."""
        return {}

    def changed(self, container: Path) -> list[str]:
        """Nobody knows."""
        return []


def _values(value: Any) -> Iterator[BaseModel]:
    """A value and all values inside it."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _values(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _values(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _values(item)


def _changed(value: BaseModel, container: Path) -> list[str]:
    if isinstance(value, OwnArray):
        return value.changed(container)
    return value.changed() if isinstance(value, ArrayInput | VolumeInput) else []
