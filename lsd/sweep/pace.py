"""How long a step of a setting takes on this machine, measured once and noted; so that "minutes"
are as many iterations as fit, whatever else the machine does meanwhile."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.lock import Held, exclusive, holder, lock_of
from lsd.spec import Config, Train
from lsd.spec.effect import effective, without_effect
from lsd.spec.paths import run_folder
from lsd.sweep.process import Failed, apart
from lsd.system.atomic import write_text
from lsd.training.loop import train
from lsd.training.step_time import recorded_rate

log = logging.getLogger(__name__)

# iterations that are timed, and how many of them make one reading
ITERATIONS, _READING = 40, 4
# seconds between two looks at what another process holds
LOOK = 2.0
# of a config, what a step's time follows from; and what of these changes none
_TIMED = ("dataset", "variant", "network", "train")
_ASIDE = {"dataset": ("validate", "test"), "train": ("init", "keep")}


def iterations(
    config: Config,
    minutes: float,
    *,
    setting: str,
    folder: Path,
    progress: Callable[[str], object] = log.info,
) -> int:
    """Iterations of each stage that fit into `minutes`, by the seconds that its stages take
    together, without validation."""
    noted = seconds_per_step(config, setting=setting, folder=folder, progress=progress)
    seconds = sum(noted.values())
    return config.train.mode.rounded(max(1, round(60 * minutes / seconds)))


def seconds_per_step(
    config: Config, *, setting: str, folder: Path, progress: Callable[[str], object] = log.info
) -> dict[str, float]:
    """Seconds of an iteration of each stage, batches and losses included, without validation.

    As <folder>/pace.json notes it for the setting, measured by a short training where it does not,
    or where the config is another one; one process measures at a time, and others take what it
    noted.  progress: told in a line what is waited for.  Raises Failed where that training fails.
    """
    measured = _short(config, folder / "pace", setting)
    depends_on, file = _plain(measured), folder / "pace.json"
    seconds = _noted(file, setting, depends_on)
    if seconds is not None:
        return seconds
    with _alone(file, progress):
        seconds = _noted(file, setting, depends_on)
        if seconds is None:
            shutil.rmtree(run_folder(measured), ignore_errors=True)
            seconds = apart(measure, measured)
            pace = {
                "seconds": seconds,
                "measured": time.strftime("%Y-%m-%d %H:%M"),
                "machine": f"{platform.node()}, {platform.machine()}",
                "depends_on": depends_on,
            }
            write_text(file, json.dumps({**_paces(file), setting: pace}, indent=1) + "\n")
    return seconds


def _noted(file: Path, setting: str, depends_on: dict[str, Any]) -> dict[str, float] | None:
    """What is noted of a setting as it is now."""
    pace = _paces(file).get(setting)
    if pace is None or _timed(pace["depends_on"]) != _timed(depends_on):
        return None
    seconds: dict[str, float] = pace["seconds"]
    return seconds


def _paces(file: Path) -> dict[str, Any]:
    paces: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return paces


@contextmanager
def _alone(file: Path, progress: Callable[[str], object]) -> Iterator[None]:
    """Inside, no other process measures."""
    told = False
    with ExitStack() as stack:
        while True:
            with suppress(Held):
                stack.enter_context(exclusive(file))
                break
            if not told:
                told = True
                who = holder(file) or "done by another process"
                progress(f"{file}: {who}, so waited for; {way_out(file)}")
            time.sleep(LOOK)
        yield


def way_out(target: Path) -> str:
    """Where the holder of a lock was killed, and nobody here can know."""
    return f"if you know that this process is gone, delete {lock_of(target)}"


def measure(config: Config) -> dict[str, float]:
    """Trains a config, which should be short; seconds of an iteration of each stage."""
    train(config)
    rates = {
        stage.name: recorded_rate(run_folder(config) / stage.name)
        for stage in config.variant.stages
        if stage.name not in config.train.frozen
    }
    silent = [name for name, rate in rates.items() if not rate]
    if silent:
        raise Failed(f"stage {silent[0]!r} noted no rate, so how long a step takes is not known")
    return {name: 1 / rate for name, rate in rates.items() if rate}


def _short(config: Config, folder: Path, setting: str) -> Config:
    """The setting, for some iterations."""
    return config.derive(
        name=setting,
        runs=str(folder),
        train={
            "iterations": ITERATIONS,
            "seed": 0,
            "validate_every": 0,
            "snapshot_every": 0,
            "log_every": _READING,
            "checkpoint_every": ITERATIONS,
            "mode": config.train.mode.shortened(ITERATIONS),
            # it begins anew, so there are no data of before
            "changed_data": "refuse",
        },
    )


def _plain(config: Config) -> dict[str, Any]:
    """What a step's time follows from, as JSON."""
    whole, train = effective(config), config.train
    # how many processes make batches changes no result, but its time
    timed = {*without_effect(Train), "hosts"}
    whole["train"] |= json.loads(train.model_dump_json(include=timed))
    return _timed(json.loads(json.dumps(whole)))


def _timed(config: dict[str, Any]) -> dict[str, Any]:
    """The same of a config as JSON, of which earlier versions noted more."""
    return {
        name: {key: each for key, each in config[name].items() if key not in _ASIDE.get(name, ())}
        for name in _TIMED
    }
