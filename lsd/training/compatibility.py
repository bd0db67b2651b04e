"""Which fields of a config may change between a run and its continuation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
            "small",
            "changed_data",
        )
    ),
)


def check_same(recorded: Config, config: Config, *, where: str) -> None:
    """Raises ValueError, naming every field with both values, if `config` cannot continue the run
    `recorded` in `where`."""
    differing = list(differing_fields(recorded, config))
    if differing:
        lines = "\n".join(f"  {key}: was {old!r}, now {new!r}" for key, old, new in differing)
        raise ValueError(
            f"the config differs from the one {where} was trained with:\n{lines}\n"
            "take these values back, or give the run another name=; "
            f"only these may change: {', '.join(MAY_CHANGE)}"
        )


def differing_fields(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    """(field, old value, new value) of every field that differs and must not."""
    olds, news = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    for key in {**olds, **news}:
        if olds.get(key) != news.get(key) and not _may_change(key):
            yield key, olds.get(key), news.get(key)


def _may_change(key: str) -> bool:
    return any(_is_below(key.split("."), free.split(".")) for free in MAY_CHANGE)


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
