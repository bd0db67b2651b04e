"""What cannot be done with images of their own, and with a volume that has no voxel size."""

from __future__ import annotations

from collections.abc import Mapping

from lsd.spec import Head
from lsd.volumes.volume import OpenVolume, needs_nm


def check_use(volume: OpenVolume, heads: Mapping[str, Head], *, dims: int) -> None:
    """Raises ValueError where a network of `dims` axes sees several images at once, or a head
    learns what is measured in nm and the volume has no voxel size, or classes of names."""
    if volume.image_sizes is not None and dims != 2:
        raise ValueError(
            f"volume {volume.name!r} holds images that have nothing to do with each other, and the "
            f"network is {dims}D; take a 2D network, such as network=small2d"
        )
    for name, head in heads.items():
        if volume.spec.names_by_image and head.target.wants_classes():
            raise ValueError(
                f"volume {volume.name!r}: head {name!r} learns classes, and numbers of its masks "
                f"are names of objects within their image; if they are classes, say so by "
                f"Images(..., holds='classes')"
            )
    if volume.calibrated:
        return
    for name, head in heads.items():
        lengths = head.target.nanometres()
        if lengths:
            of_head = f"{lengths} of head {name!r}"
            raise ValueError(f"volume {volume.name!r}: {needs_nm(of_head)}")
