"""Whose mistake an error is: code of kinds that are not of this package is named with its file and
line."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from lsd.spec.mistakes import lines

# of this package
OURS = __name__.partition(".")[0]
# whose errors are sentences already
_EXPLAINED_BY = (OURS, "pydantic_core")


class KindError(ValueError):
    """A mistake in code of a kind that is not of this package.  The message names the kind, the
    file and the line."""


@dataclass(frozen=True)
class Author:
    """The author of code that is called.

    title:    what messages call the kind: "target 'distance'"
    packages: that define it, by the first part of their names
    """

    title: str
    packages: tuple[str, ...] = ()

    def blamed(self, error: Exception) -> Exception:
        """What to raise in the place of an error of the code: the error itself where it says
        enough, or is no mistake of the code."""
        module = type(error).__module__.partition(".")[0]
        of_the_machine = isinstance(error, OSError) or is_out_of_memory(error)
        if of_the_machine or module in _EXPLAINED_BY:
            return error
        place = mistake_at(error, self.packages)
        return KindError(f"{self.title}{place and f' ({place})'}: {in_words(error)}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, that of a GPU included."""
    # torch's own class, which must not be imported here, and its words on a CPU
    is_of_torch = type(error).__name__ == "OutOfMemoryError"
    words = re.search("alloc.*memory", str(error))
    return isinstance(error, MemoryError) or is_of_torch or words is not None


def in_words(error: BaseException) -> str:
    """An error as messages show it: its class and its text; of a spec, what is wrong with it."""
    if isinstance(error, ValidationError):
        return "; ".join(lines(error))
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    if type(error).__module__.startswith("pydantic.") and "non-annotated attribute" in message:
        return _without_type(message)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _without_type(message: str) -> str:
    """That a field of a spec has no type, in the place of pydantic's message."""
    field = re.search("detected: `(.+?) = (.*)`[.] All", message, re.DOTALL)
    if field is None:
        # of a field that the base has
        quoted = re.search("'.+?'", message)
        return f"the field {quoted[0] if quoted else ''} has no type; write one, as its base does"
    name, value = field.groups()
    return (
        f"{name} = {value} has no type; write one, as in {name}: float = {value}, or "
        f"{name}: ClassVar = {value} where it is no setting"
    )


def mistake_at(error: BaseException, packages: tuple[str, ...] = ()) -> str:
    """File and line of the user's code in which an error arose, as in "my_target.py, line 12"; ""
    where no such code was running.

    packages: those that are known to be the user's, by the first part of their names
    """
    if isinstance(error, SyntaxError) and error.filename:
        return file_and_line(error.filename, error.lineno)
    lines = [
        (frame.f_globals.get("__name__", "").partition(".")[0], frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith(("<frozen", "<string"))
    ]
    theirs = [line for line in lines if line[0] in packages]
    theirs = theirs or [line for line in lines if line[0] != OURS and not is_installed(line[1])]
    return file_and_line(*theirs[-1][1:]) if theirs else ""


def is_installed(file: str) -> bool:
    """Whether a file is of Python's own library, or of a package that is installed beside it."""
    return file.startswith(_installed())


@cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({f"{paths[name]}{os.sep}" for name in names})


def file_and_line(file: str, line: int | None) -> str:
    """A file and a line as messages name them: "my_target.py, line 12"."""
    return f"{from_here(file)}, line {line}"


def from_here(file: str | Path) -> str:
    """A path from the working folder on where the file is below it, as a person looks for it."""
    path = Path(file)
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return str(path)
