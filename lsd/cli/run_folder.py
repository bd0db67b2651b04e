"""The config of a run, from its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsd.cli.files import load
from lsd.spec import Config
from lsd.spec.mistakes import ConfigError
from lsd.spec.user_paths import expanded


def run_config(folder: str | Path, overrides: Iterable[str] = ()) -> Config:
    """The config that stands in the folder of a run, with "key=value" overrides; its outputs are
    those of this folder, wherever that was moved to.  Of a run of a sweep that scored other volumes
    it is the one with these.

    Raises ConfigError where the folder is none of a run.
    """
    path = expanded(folder)
    if not (path / "config.json").is_file():
        runs = sorted(each.parent.name for each in path.glob("*/config.json"))
        inside = f"; runs in it: {', '.join(runs)}" if runs else ""
        raise ConfigError(
            f"{str(folder)!r} is no folder of a run: it holds no config.json{inside}; name one, as "
            f"in runs/NAME"
        )
    scored = path / "scored.json"
    config = load(scored if scored.is_file() else path / "config.json", overrides)
    return config.derive(name=path.resolve().name, runs=str(path.resolve().parent))
