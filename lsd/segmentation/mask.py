"""The mask that segmentation is confined to, where segment.use_mask is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.volume import open_volume


@dataclass(frozen=True)
class Mask:
    """A volume's labels_mask: what a worker opens it with, and what it is, for fingerprints."""

    arguments: tuple[Any, str, str]
    made_from: Mapping[str, Any]


def mask_of(config: Config, name: str) -> Mask | None:
    """The mask of a volume; None where the config uses none.  Raises ValueError if the volume has none."""
    if not config.segment.use_mask:
        return None
    volume, root = config.dataset.volumes()[name], data_root(config)
    mask = open_volume(volume, name=name, data_root=root).labels_mask
    if mask is None:
        raise ValueError(f"segment.use_mask is set, but volume {name!r} has no labels_mask; name its array, or unset it")
    return Mask((volume.model_dump(mode="json"), name, str(root)), mask.identity())
