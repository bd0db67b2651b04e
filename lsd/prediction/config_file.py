"""config.json in the folder of a run, whichever command is the first to write there."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from lsd.blockwise.on_disk.step import differences
from lsd.spec import Config
from lsd.spec.effect import written_out
from lsd.spec.paths import config_file, run_folder
from lsd.system.atomic import write_text

log = logging.getLogger(__name__)

Section = Literal[
    "dataset",
    "variant",
    "network",
    "predict",
    "segment",
    "locate",
    "seeds",
    "evaluate",
    "error_map",
]
# fields of sections that change no result, or which of them there are: volumes, workers, levels
_ASIDE = ("checkpoint", "volumes", "workers", "levels", "small")


def keep_config(config: Config, *, sections: tuple[Section, ...]) -> None:
    """Writes config.json if there is none; for commands other than training, which writes its own.

    Once a run is trained, config.json stays as it was trained, since training goes on with it.
    Where nothing was trained, it becomes that of the latest command, like the results beside it.
    In both cases the log tells what differs, in the sections that this command goes by.

    sections: of the config, which the results of the command depend on; of the dataset, the volumes
              of predict.volumes
    """
    path = config_file(config)
    if not path.exists():
        _write(path, config)
        return
    try:
        recorded = Config.model_validate_json(path.read_bytes())
    except ValueError:
        log.warning(
            "%s is not one that this version knows; it stays, and is not that of this command", path
        )
        return
    names = list(config.dataset.named(config.predict.volumes))
    different = differences(
        _relevant(recorded, sections, names), _relevant(config, sections, names)
    )
    if _is_trained(run_folder(config)):
        if different:
            log.info(
                "%s stays as the run was trained; this command differs: %s",
                path,
                "; ".join(different),
            )
    elif recorded != config and _write(path, config) and different:
        log.info("%s is that of this command now: %s", path, "; ".join(different))


def _write(path: Path, config: Config) -> bool:
    try:
        write_text(path, config.model_dump_json(indent=2) + "\n")
    except OSError:
        # where nothing can be written, those who write results tell it, and how to mend it
        return False
    return True


def _is_trained(folder: Path) -> bool:
    """Whether the run was trained, or is in training."""
    return (folder / "training.lock").exists() or any(folder.glob("*/checkpoints/*.pt"))


def _relevant(
    config: Config, sections: tuple[Section, ...], volumes: Collection[str]
) -> dict[str, Any]:
    """What of these sections decides about results, as JSON."""
    content: dict[str, Any] = written_out(
        {section: getattr(config, section).model_dump(mode="json") for section in sections}, Config
    )
    for fields in content.values():
        for field in _ASIDE:
            fields.pop(field, None)
    if "dataset" in sections:
        content["dataset"] = {
            name: volume.model_dump(mode="json")
            for name, volume in config.dataset.volumes().items()
            if name in volumes
        }
    return content
