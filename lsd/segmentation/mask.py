"""The mask that segmentation is confined to, where segment.use_mask is set: what is known of a
volume.

It is what training, validation and evaluation go by, too: inside labels_mask and region, not the
unknown label, raw finite.
"""

from __future__ import annotations

import logging

from funlib.geometry import Roi

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import open_volume

log = logging.getLogger(__name__)


def mask_of(config: Config, name: str, *, roi: Roi) -> VolumeInput | None:
    """The volume whose known voxels within `roi` are segmented; None where the config uses no mask.

    Warns of a volume that says nothing of what is known.
    """
    if not config.segment.use_mask:
        return None
    root = data_root(config)
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=root)
    mask = VolumeInput.known(volume, root, roi=roi)
    if not mask.arrays and volume.roi == volume.raw.roi:
        log.warning(
            "segment.use_mask is set, but volume %r says nothing of what is known, so all of it is "
            "used; name its labels_mask, "
            "unknown or region, or set invalid='mask'",
            name,
        )
    return mask
