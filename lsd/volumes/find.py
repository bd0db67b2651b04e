"""The volumes of a config as they are on disk: one for every container that a path with wildcards
matches."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path, PurePath

from pydantic import ValidationError

from lsd.spec import Config, Volume
from lsd.spec.mistakes import lines
from lsd.spec.paths import data_root
from lsd.spec.user_paths import with_variables
from lsd.volumes.reference import locate
from lsd.volumes.volume import open_volume

PARTS = ("train", "validate", "test")


def expand(config: Config) -> Config:
    """`config` with each volume whose path has wildcards (*, ?, [..], **) replaced by one for each
    match, sorted.

    A path that exists as it is written is left alone.  So is one that nothing matches, for who
    opens it to refuse: to predict, no training volumes are needed.  Volumes are named after their
    containers; where the pattern's volume has a name, it comes first.  All that works with a config
    begins here, so it is validated here, however it was made.

    Raises ValueError for a config that is wrong, and where two volumes get one name, or
    predict.volumes names none of them.
    """
    config = config.checked()
    root = data_root(config)
    try:
        parts = {
            part: [
                one for volume in getattr(config.dataset, part) for one in _matches(volume, root)
            ]
            for part in PARTS
        }
        if all(parts[part] == list(getattr(config.dataset, part)) for part in PARTS):
            return config
        return config.derive(dataset=parts)
    except ValidationError as error:
        raise ValueError("; ".join(lines(error))) from error


def check_volumes(config: Config, names: tuple[str, ...]) -> None:
    """Opens the volumes that `names` (of volumes, or parts of the dataset) mean, as `open_volume`
    does, and lets them go.

    For scripts, so that a file that is not there or does not fit is told before anything heavy is
    imported.
    """
    for name, volume in expand(config).dataset.named(names).items():
        open_volume(volume, name=name, data_root=data_root(config))


def _matches(volume: Volume, root: Path) -> list[Volume]:
    if volume.path is None or not volume.is_pattern or locate(volume.path, root=root).exists():
        return [volume]
    paths = sorted(glob.glob(str(Path(with_variables(volume.path))), root_dir=root, recursive=True))
    if not paths:
        return [volume]
    return [
        volume.derive(path=path, name=name)
        for path, name in zip(paths, _names(volume, paths), strict=True)
    ]


def _names(volume: Volume, paths: list[str]) -> list[str | None]:
    """A name for each path; None where the default, stem and part, will do."""
    stems = Counter(PurePath(path).stem for path in paths)
    twice = max(stems.values()) > 1
    names = [
        "_".join(PurePath(path).with_suffix("").parts[-2:]) if twice else PurePath(path).stem
        for path in paths
    ]
    if volume.name is None:
        return list(names) if twice else [None] * len(paths)
    return [volume.name] if len(paths) == 1 else [f"{volume.name}_{name}" for name in names]
