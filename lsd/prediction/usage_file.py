"""What each step of a run took: seconds, memory and versions, a line for each time that it was
done, in runs/<name>/usage.jsonl."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from lsd.spec import Config
from lsd.spec.paths import usage_file
from lsd.system.cores import cores
from lsd.system.ranks import is_first
from lsd.system.usage import Meter
from lsd.system.versions import versions

P = ParamSpec("P")
R = TypeVar("R")
Step = Callable[Concatenate[Config, P], R]


def noting_usage(
    step: str,
    *,
    unless: Callable[[Config], bool] = lambda _: False,
    before: Callable[[], object] = lambda: None,
) -> Callable[[Step[P, R]], Step[P, R]]:
    """A decorator of what does a step of a run, whose config is its first argument: notes what it
    took, also where it fails, of equal processes in the first.

    unless: whether another process does the step, and notes it
    before: called before a thread begins that looks at memory, as `lsd.system.allocator` wants it
    """

    def decorated(function: Step[P, R]) -> Step[P, R]:
        @wraps(function)
        def noted(config: Config, /, *arguments: P.args, **options: P.kwargs) -> R:
            # one that is wrong is refused in words, before anything asks for its fields
            config = config.checked()
            if unless(config) or not is_first():
                return function(config, *arguments, **options)
            before()
            with _noted(step, usage_file(config)):
                return function(config, *arguments, **options)

        return noted

    return decorated


def read_usage(config: Config) -> list[dict[str, Any]]:
    """What was noted, the first first; lines that are damaged are left out."""
    path, found = usage_file(config), []
    for line in path.read_text().splitlines() if path.exists() else []:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict) and {"step", "seconds"} <= set(each)]


@contextmanager
def _noted(step: str, path: Path) -> Iterator[None]:
    began, ended = time.time(), "done"
    with Meter() as meter:
        try:
            yield
        except BaseException as error:
            is_stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
            ended = "interrupted" if is_stopped else "failed"
            raise
        finally:
            _append(path, step, began, meter, ended)


def _append(path: Path, step: str, began: float, meter: Meter, ended: str) -> None:
    # who was refused before anything was done has no folder; notes that cannot be written stop
    # nothing
    if not path.parent.is_dir():
        return
    line = {
        "step": step,
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(began)),
        "ended": ended,
        **meter.read().as_dict(),
        "host": socket.gethostname(),
        "cores": cores(),
        "versions": versions(),
    }
    with suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
