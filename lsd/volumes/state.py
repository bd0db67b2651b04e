"""What tells the content of an array on disk from another, without reading a voxel: it notices
edits in place.

What is looked at is for the format to say (`FileArray.identity`).  A zarr array is its metadata,
and the size and the time of the last change of each chunk that is asked for; a chunk that is not
there counts as well.  Other files are their own size and time, and those of the files that they
take voxels from.  To look at a chunk takes microseconds on a disk of this machine, and on a network
as long as its server takes to answer; where that is too long, or nothing is known of times, a
revision that the user names stands for the content (`Volume.revision`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from lsd.volumes.formats.format import Slices
from lsd.volumes.source import Source


def content(source: Source, slices: Slices) -> str:
    """A name for what `slices` of an array hold: another one where something was written there
    since."""
    digest = hashlib.blake2b(digest_size=16)
    for part in source.handle.identity(slices):
        digest.update(part)
    return digest.hexdigest()


def address(path: Path, name: str) -> str:
    """Where an array lies, as messages say it: level 0 of an image by the image's name."""
    return f"{path}:{name.removesuffix('/0')}" if name else str(path)
