"""A function in a process of its own: its memory ends with it, and what ends it ends nothing else.

The process is a fresh interpreter that is killed where this one is.  Ctrl-C and SIGTERM of this
process reach it as SIGTERM, upon which training writes a checkpoint.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from lsd.spec.kinds import imported, take_over
from lsd.system.process import die_with_parent


class Failed(RuntimeError):
    """What was done in another process failed; the message is its own."""


# what stops a run, and no other: of data that cannot be opened, formats of one's own among them
FAULTS = (RuntimeError, ValueError, OSError, LookupError, ImportError, MemoryError)


class Ended(Failed):
    """That process was ended from outside, which says nothing of what it did."""


def apart(function: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """function(*arguments) in another process; its result must be JSON, its arguments be picklable.

    Raises Failed with the message of what it raised, Ended where a signal ended it;
    KeyboardInterrupt once it has ended, where this process was interrupted.
    """
    told, tell = os.pipe()
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from lsd.sweep.process import serve_task; "
        f"serve_task({tell}, {imported()!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        pass_fds=[tell],
        # a Ctrl-C on the terminal is passed on once, not twice
        start_new_session=True,
    )
    os.close(tell)
    name = f"{function.__module__}:{function.__qualname__}"
    with os.fdopen(told, "rb") as outcome:
        return _outcome(process, pickle.dumps((name, arguments)), outcome)


def _outcome(process: subprocess.Popen[bytes], task: bytes, outcome: IO[bytes]) -> dict[str, Any]:
    interrupted = False
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(task)
        process.stdin.close()
    while True:
        try:
            outcome_text = outcome.read()
            status = process.wait()
            break
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGTERM)
    content = json.loads(outcome_text) if outcome_text else {}
    if interrupted:
        raise KeyboardInterrupt(content.get("interrupted", ""))
    if "interrupted" in content:
        raise Ended(content["interrupted"])
    if "error" in content:
        raise Failed(content["error"])
    if "result" not in content:
        raise _ended(status)
    result: dict[str, Any] = content["result"]
    return result


def _ended(status: int) -> Failed:
    if status < 0:
        name = signal.Signals(-status).name
        why = ", as the system does where memory runs out" if name == "SIGKILL" else ""
        return Ended(f"its process was ended by {name}{why}")
    return Failed(f"its process ended with status {status}")


def serve_task(tell: int, modules: Mapping[str, str]) -> None:
    """Does what stdin says, and tells what came of it; what the other process runs."""
    die_with_parent()
    # a run of many seeds may be stopped before it has begun
    signal.signal(signal.SIGTERM, _interrupt)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.captureWarnings(True)
    logging.getLogger("numexpr").setLevel(logging.WARNING)
    try:
        take_over(modules)
        name, arguments = pickle.load(sys.stdin.buffer)
        module, _, function = name.partition(":")
        result = getattr(importlib.import_module(module), function)(*arguments)
        # before anything is told: what is no JSON is an error, too
        outcome = json.dumps({"result": result})
    except KeyboardInterrupt as error:
        outcome = json.dumps({"interrupted": str(error) or "interrupted"})
    except Exception as error:
        traceback.print_exc()
        outcome = json.dumps({"error": str(error) or type(error).__name__})
    with os.fdopen(tell, "w") as pipe:
        pipe.write(outcome)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
