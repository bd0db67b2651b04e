"""What tests do in other processes: a module that takes no time to be imported."""

import os
import signal
import time
from pathlib import Path


def number(value) -> dict:
    return {"pid": os.getpid(), "value": value}


def raises(text) -> dict:
    raise ValueError(text)


def no_json() -> dict:
    return {"value": 1.5, "set": {1, 2}}


def is_killed() -> dict:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def until_told(file) -> dict:
    Path(file).write_text("begun")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(file).write_text("saved")
        raise KeyboardInterrupt("all is saved") from None
    return {}


def further(config, evaluation) -> dict:
    return {"volumes": len(evaluation.volumes)}
