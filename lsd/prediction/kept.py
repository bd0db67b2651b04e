"""The config of a run in its folder, whichever command is the first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.step import differences
from lsd.spec import Config
from lsd.spec.paths import config_file, run_folder
from lsd.system.atomic import write_text

log = logging.getLogger(__name__)

# where a run lies, and who does its work
_PLACES = ("name", "runs", "data_root")
_PARTS = ("train", "predict", "segment", "evaluate")


def keep_config(config: Config) -> None:
    """Sees to it that there is a config.json; for commands other than training, which writes its
    own.

    Once a run is trained, config.json stays as it was trained, since training goes on with it; what
    a later command does otherwise is said, and the log of the run has its command line.  Where
    nothing was trained, it is that of the latest command, like the results beside it.
    """
    path = config_file(config)
    if not path.exists():
        _write(path, config)
        return
    try:
        there = Config.model_validate_json(path.read_bytes())
    except ValueError:
        log.warning(
            "%s is not one that this version knows; it stays, and is not that of this command", path
        )
        return
    other = differences(_compared(there), _compared(config))
    if other and _trained(run_folder(config)):
        log.info(
            "%s stays as the run was trained; this command differs: %s", path, "; ".join(other)
        )
    elif other and _write(path, config):
        log.info("%s is that of this command now: %s", path, "; ".join(other))


def _write(path: Path, config: Config) -> bool:
    try:
        write_text(path, config.model_dump_json(indent=2) + "\n")
    except OSError:
        # where nothing can be written, those who write results say so, and how to mend it
        return False
    return True


def _trained(folder: Path) -> bool:
    """Or in training."""
    return (folder / "training.lock").exists() or any(folder.glob("*/checkpoints/*.pt"))


def _compared(config: Config) -> dict[str, Any]:
    found = config.model_dump(mode="json", exclude=set(_PLACES))
    for part in _PARTS:
        found[part].pop("workers", None)
    return found
