"""The mask that segmentation is confined to, where segment.use_mask is set."""

from __future__ import annotations

from funlib.geometry import Roi

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import open_volume


def mask_of(config: Config, name: str, *, roi: Roi) -> VolumeInput | None:
    """The volume whose known voxels within `roi` are segmented; None where the config uses no mask.

    Raises ValueError if the volume has none.
    """
    if not config.segment.use_mask:
        return None
    root = data_root(config)
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=root)
    if volume.labels_mask is None:
        raise ValueError(f"segment.use_mask is set, but volume {name!r} has no labels_mask; name its array, or unset it")
    return VolumeInput.known(volume, root, roi=roi)
