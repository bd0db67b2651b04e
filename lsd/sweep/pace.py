"""How long a step of a setting takes on this machine, measured once and noted; so that "minutes"
are as many iterations as fit, whatever else the machine does meanwhile."""

from __future__ import annotations

import json
import platform
import shutil
import time
from pathlib import Path
from typing import Any

from lsd.spec import Config
from lsd.spec.effect import effective
from lsd.spec.paths import run_folder
from lsd.sweep.process import Failed, apart
from lsd.system.atomic import write_text
from lsd.training.loop import train
from lsd.training.step_time import recorded_rate

# iterations that are timed, and how many of them make one reading
ITERATIONS, _READING = 40, 4
# of a config that change no step's time
_NOT_TIMED = ("name", "runs", "data_root", "predict", "segment", "locate", "evaluate")


def iterations(config: Config, minutes: float, *, setting: str, folder: Path) -> int:
    """Iterations of each stage that fit into `minutes`, by the seconds that its stages take
    together, without validation."""
    seconds = sum(seconds_per_step(config, setting=setting, folder=folder).values())
    return config.train.mode.rounded(max(1, round(60 * minutes / seconds)))


def seconds_per_step(config: Config, *, setting: str, folder: Path) -> dict[str, float]:
    """Seconds of an iteration of each stage, batches and losses included, without validation.

    As <folder>/pace.json notes it for the setting, measured by a short training where it does not,
    or where the config is another one.  Raises Failed where that training fails.
    """
    measured = _short(config, folder / "pace", setting)
    depends_on = {name: value for name, value in _plain(measured).items() if name not in _NOT_TIMED}
    file = folder / "pace.json"
    noted_before: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    pace = noted_before.get(setting)
    if pace is None or pace["depends_on"] != depends_on:
        shutil.rmtree(run_folder(measured), ignore_errors=True)
        pace = {
            "seconds": apart(measure, measured),
            "measured": time.strftime("%Y-%m-%d %H:%M"),
            "machine": f"{platform.node()}, {platform.machine()}",
            "depends_on": depends_on,
        }
        write_text(file, json.dumps({**noted_before, setting: pace}, indent=1) + "\n")
    seconds: dict[str, float] = pace["seconds"]
    return seconds


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
    plain: dict[str, Any] = json.loads(json.dumps(effective(config)))
    return plain
