"""The config of a run, from its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lsd.cli.files import load
from lsd.spec import Config
from lsd.spec.mistakes import ConfigError
from lsd.spec.user_paths import expanded
from lsd.system.commands import of_config


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
    config = load(_record(path), overrides)
    return config.derive(name=path.resolve().name, runs=str(path.resolve().parent))


@contextmanager
def messages_of_run(folder: str | Path, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Inside, messages name commands with the config of the run, wherever its folder is now."""
    record = _record(expanded(folder))
    place = record.parent.resolve()
    try:
        told = json.loads(record.read_bytes())
        name, runs = told["name"], expanded(told["runs"]).resolve()
    except (OSError, ValueError, KeyError, TypeError):
        # who reads it says what is wrong
        yield
        return
    moved = [
        *([] if name == place.name else [f"name={place.name}"]),
        *([] if runs == place.parent else [f"runs={place.parent}"]),
    ]
    with of_config(record, [*moved, *overrides]):
        yield


def _record(path: Path) -> Path:
    """Its config; of a run of a sweep that scored other volumes, with these."""
    scored = path / "scored.json"
    return scored if scored.is_file() else path / "config.json"
