"""Which chunks of an array are on disk: what was never written holds the fill value and need not be
read."""

from __future__ import annotations

import numpy as np
from funlib.geometry import Coordinate
from numpy.typing import NDArray

from lsd.spec.blame import KindError
from lsd.volumes.array import Array
from lsd.volumes.metadata_values import unreadable
from lsd.volumes.source import Source

Indices = NDArray[np.int64]


def stored(array: Array) -> tuple[Indices, Coordinate] | None:
    """Where the chunks of `array` that are on disk begin, (n, dims) in voxels of the world, and
    their shape.

    None where all of it is to be read: the format does not tell, or what was never written is not
    0.
    """
    fill = array.source.handle.fill
    if fill is None or np.any(np.asarray(fill)):
        return None
    indices = chunks(array.source)
    if indices is None:
        return None
    axes = [array.layout.disk.index(axis) for axis in array.axes[-array.roi.dims :]]
    shape = np.array(array.source.chunks, np.int64)[axes]
    places = np.unique(indices[:, axes], axis=0)  # once for all channels
    return places * shape + np.asarray(array.layout.offset), Coordinate(shape.tolist())


def chunks(source: Source) -> Indices | None:
    """Indices (n, axes on disk) of the chunks that are on disk and lie inside the array, ascending;
    None where the format does not tell.  ValueError naming the array where that cannot be read."""
    try:
        on_disk = source.handle.stored_chunks()
        if on_disk is None:
            return None
        table = np.array(list(on_disk), np.int64).reshape(-1, len(source.chunks))
    except (KindError, MemoryError):
        raise
    except PermissionError as error:
        raise unreadable(source.path, error) from error
    except Exception as error:  # each codec has errors of its own
        raise ValueError(
            f"which chunks of {source} are on disk cannot be read, it is damaged ({error}): copy "
            f"or compute it again"
        ) from error
    inside = (table * np.array(source.chunks) < np.array(source.handle.shape)).all(axis=1)
    return np.unique(table[inside], axis=0)


def why_unwritten(array: Array) -> str:
    """Why `array` reads as one value where no chunk of it is on disk, as the end of a sentence;
    empty if some are."""
    indices = chunks(array.source)
    if indices is None or len(indices):
        return ""
    return f"; {array.source.handle.why_empty(str(array.source))}"
