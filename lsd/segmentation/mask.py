"""The mask that segmentation is confined to, where segment.use_mask is set: what is known of a
volume.

It is what training, validation and evaluation go by, too: inside labels_mask and region, not the
unknown label, raw finite.
"""

from __future__ import annotations

import logging

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)


def mask_of(config: Config, name: str, *, roi: Roi) -> VolumeInput | None:
    """The volume whose known voxels within `roi` are segmented; None where the config uses no mask.

    Of images there is always one, which says where they are.  Warns of a volume that says nothing
    of what is known.
    """
    root, spec = data_root(config), config.dataset.volumes()[name]
    if not config.segment.use_mask and spec.images is None:
        return None
    volume = open_volume(spec, name=name, data_root=root)
    if not config.segment.use_mask:
        return VolumeInput.inside(volume, root)
    mask = VolumeInput.known(volume, root, roi=roi)
    if not mask.arrays and volume.roi == volume.raw.roi and volume.image_sizes is None:
        log.warning(
            "segment.use_mask is set, but volume %r says nothing of what is known, so all of it is "
            "used; name its labels_mask, "
            "unknown or region, or set invalid='mask'",
            name,
        )
    return mask


def read_mask(volume: OpenVolume, roi: Roi, *, use_mask: bool) -> NDArray[np.bool_] | None:
    """The same of a region (z, y, x) that is read at once."""
    if use_mask:
        return volume.read_known(roi)
    return None if volume.image_sizes is None else volume.read_inside(roi)
