"""Whether a network sees voxels of the size that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

from lsd.volumes.units import agree


def other_voxels(voxel_size: Sequence[float], known: Sequence[float] | None, *, dims: int) -> str:
    """What is said of voxels (nm) of another size than those that a network of so many axes was
    trained on; "" where they are the same, or nobody knows.

    They may be meant, so they are no error.  A 2D network does not see z.
    """
    if known is None or agree(voxel_size[-dims:], known[-dims:]):
        return ""
    own, trained = ("x".join(f"{nm:g}" for nm in size[-dims:]) for size in (voxel_size, known))
    return (
        f"voxels of {own} nm, the network was trained on {trained}: what it sees is of another "
        f"size than what it knows; unless that is meant, give it data of its voxel size (scale= "
        f"of a volume reads several voxels as one), or train on such voxels"
    )
