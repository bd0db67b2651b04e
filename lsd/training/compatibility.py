"""Which fields of a config may change between a run and its continuation, or differ between the
processes of a run."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lsd.spec import Config

# "*": whatever stands there
MAY_CHANGE = (
    "imports",
    "name",
    "runs",
    "data_root",
    "predict",
    "segment",
    "locate",
    "seeds",
    "evaluate",
    "error_map",
    # scores are told along them; where validation goes by these, it scores the best again
    *(f"dataset.{part}.*.skeletons" for part in ("train", "validate", "test")),
    *(
        f"train.{field}"
        for field in (
            "init",
            "iterations",
            "checkpoint_every",
            "keep",
            "log_every",
            "snapshot_every",
            "validate_every",
            "workers",
            "device",
            "devices",
            "hosts",
            "threads",
            "small",
            "changed_data",
        )
    ),
)

# what processes that share a run may have each for itself: where it finds things, who makes batches
OWN = ("data_root", "runs", "train.workers")

# fields that a message names, before it counts the others
_SHOWN = 12


def check_same(recorded: Config, config: Config, *, where: str) -> None:
    """Raises ValueError, naming fields with both values, if `config` cannot continue the run
    `recorded` in `where`."""
    differing = list(differing_fields(recorded, config))
    if differing:
        lines = _listed(f"{key}: was {old!r}, now {new!r}" for key, old, new in differing)
        raise ValueError(
            f"the config differs from the one {where} was trained with:\n{lines}\n"
            "take these values back, or give the run another name=; "
            f"only these may change: {', '.join(MAY_CHANGE)}"
        )


def check_shared(first: str, config: Config, *, rank: int) -> None:
    """Raises ValueError, naming fields with both values, where process number `rank` of a run
    has another config than the first process; first: that one's, as JSON."""
    theirs = json.loads(first)
    differing = list(differing_values(theirs, json.loads(config.model_dump_json()), free=OWN))
    if differing:
        lines = _listed(f"{key}: {old!r}, here {new!r}" for key, old, new in differing)
        raise ValueError(
            f"process {rank} has another config than the first process of the run, on "
            f"{socket.gethostname()}:\n{lines}\n"
            "give the same command and the same files to all of them"
        )


def _listed(differing: Iterable[str]) -> str:
    """A line for each of those that lie least deep, and how many more there are: of another dataset
    or network, nearly all fields differ."""
    lines = sorted(differing, key=lambda line: line.partition(":")[0].count("."))
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:_SHOWN], *more])


def differing_fields(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    """(field, old value, new value) of every field that differs and must not."""
    both = (config.model_dump(mode="json") for config in (old, new))
    return differing_values(*both, free=MAY_CHANGE)


def differing_values(
    old: dict[str, Any], new: dict[str, Any], *, free: Sequence[str]
) -> Iterator[tuple[str, Any, Any]]:
    """(path, old value, new value) of whatever differs in two nested dictionaries, but for what is
    free."""
    olds, news = _flat(old), _flat(new)
    for key in {**olds, **news}:
        if olds.get(key) != news.get(key) and not _is_free(key, free):
            yield key, olds.get(key), news.get(key)


def _is_free(key: str, free: Sequence[str]) -> bool:
    return any(_is_below(key.split("."), each.split(".")) for each in free)


def _is_below(path: Sequence[str], free: Sequence[str]) -> bool:
    """Whether a field is one of those that are free, or lies in one."""
    return len(path) >= len(free) and all(
        wanted in ("*", there) for there, wanted in zip(path, free, strict=False)
    )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries and lists as one, by dotted path; an empty one is a value."""
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    return {
        path: leaf
        for key, item in value.items()
        for path, leaf in _flat(item, f"{prefix}.{key}".lstrip(".")).items()
    }
