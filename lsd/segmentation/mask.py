"""The voxels that segmentation is confined to where segment.use_mask is set: those of which the volume says what they are.

`OpenVolume.read_known` says which, here as in training, its validation and in evaluation: inside the volume's region and its
labels_mask, not the unknown label, raw finite where invalid='mask'.  A volume that says none of it is known everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.spec import Config, Volume
from lsd.spec.paths import data_root
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mask:
    """What is known of a volume: what a worker opens it with, and what it is, for fingerprints."""

    arguments: tuple[Any, str, str]
    made_from: Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """A mask in a worker, read by regions."""

    volume: OpenVolume

    def read(self, roi: Roi) -> NDArray[Any]:
        """bool (z, y, x), which voxels are used; none of those outside the volume's region."""
        return self.volume.read_known(roi)


def mask_of(config: Config, name: str) -> Mask | None:
    """The mask of a volume; None where the config uses none.  Warns of a volume that says nothing of what is known."""
    if not config.segment.use_mask:
        return None
    spec, root = config.dataset.volumes()[name], data_root(config)
    volume = open_volume(spec, name=name, data_root=root)
    made_from = _made_from(volume)
    if not any(made_from[what] for what in ("labels_mask", "labels", "raw")) and volume.roi == volume.raw.roi:
        log.warning(
            "segment.use_mask is set, but volume %r says nothing of what is known, so all of it is used; name its labels_mask, "
            "unknown or region, or set invalid='mask'",
            name,
        )
    return Mask((spec.model_dump(mode="json"), name, str(root)), made_from)


def known(volume: Any, name: str, data_root: str) -> Known:
    """Opens a mask in a worker from Mask.arguments."""
    return Known(open_volume(Volume.model_validate(volume), name=name, data_root=Path(data_root)))


def _made_from(volume: OpenVolume) -> dict[str, Any]:
    """All that `read_known` follows from, as JSON."""
    spec, roi = volume.spec, volume.roi
    used = {
        "labels_mask": volume.labels_mask,
        "labels": volume.labels if spec.unknown is not None else None,
        "raw": volume.raw if spec.invalid == "mask" else None,
    }
    found: dict[str, Any] = {what: array and array.identity() for what, array in used.items()}
    unknown = spec.unknown if used["labels"] else None
    return {**found, "unknown": unknown, "region": [[int(n) for n in roi.begin], [int(n) for n in roi.shape]]}
