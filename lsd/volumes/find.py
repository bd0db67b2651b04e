"""Paths with wildcards: one volume of the config for every container that matches."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path, PurePath

from lsd.spec import Config, Dataset, Volume
from lsd.spec.paths import data_root
from lsd.volumes.reference import locate, way_out

PARTS = ("train", "validate", "test")


def expand(config: Config) -> Config:
    """`config` with each volume whose path has wildcards (*, ?, [..], **) replaced by one for each match, sorted.

    A path that exists as it is written is left alone.  Volumes are named after their containers; where the pattern's volume
    has a name, it comes first.  Raises ValueError if nothing matches.
    """
    root = data_root(config)
    parts = {part: [one for volume in getattr(config.dataset, part) for one in _matches(volume, root)] for part in PARTS}
    if all(parts[part] == list(getattr(config.dataset, part)) for part in PARTS):
        return config
    dataset = Dataset.model_validate({**config.dataset.model_dump(), **parts})
    return Config.model_validate({**config.model_dump(), "dataset": dataset.model_dump()})


def _matches(volume: Volume, root: Path) -> list[Volume]:
    if volume.path is None or not glob.has_magic(volume.path) or locate(volume.path, root=root).exists():
        return [volume]
    pattern = str(Path(volume.path).expanduser())
    found = sorted(glob.glob(pattern, root_dir=root, recursive=True))
    if not found:
        raise ValueError(f"no file matches {volume.path!r}; correct it{way_out(locate(pattern, root=root), root=root)}")
    return [
        volume.model_copy(update={"path": path, "name": name}) for path, name in zip(found, _names(volume, found), strict=True)
    ]


def _names(volume: Volume, paths: list[str]) -> list[str | None]:
    """A name for each path; None where the default, stem and part, will do."""
    stems = Counter(PurePath(path).stem for path in paths)
    twice = max(stems.values()) > 1
    names = ["_".join(PurePath(path).with_suffix("").parts[-2:]) if twice else PurePath(path).stem for path in paths]
    if volume.name is None:
        return list(names) if twice else [None] * len(paths)
    return [volume.name] if len(paths) == 1 else [f"{volume.name}_{name}" for name in names]
