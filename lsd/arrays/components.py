"""Connected components of labels: the pieces of each id that lie apart."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

from lsd.arrays.ids import native


def connected_components(
    labels: npt.NDArray[Any], *, connectivity: int | None = None
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[Any]]:
    """The pieces of each label, and the label of each piece: (of the shape of labels, (n + 1,)).

    labels: whole numbers (z, y, x), or (y, x); 0 is background and stays 0
    connectivity: how many neighbours of a voxel it may be connected with: 6 (those that share a
            face), 18 (or an edge), 26 (or a corner), in the plane 4 or 8.  Of a volume, 4 and 8
            take every section on its own.  None: all, 26 or 8

    Pieces are numbered 1..n, and piece 0 is background.
    """
    # cc3d takes no others
    labels = np.require(native(labels), requirements="W")
    if labels.ndim == 3 and connectivity in (4, 8):
        pieces = _by_section(labels, connectivity)
    else:
        pieces = _pieces(labels, connectivity or (26 if labels.ndim == 3 else 8))
    ids = np.zeros(int(pieces.max(initial=0)) + 1, labels.dtype)
    ids[pieces] = labels
    return pieces, ids


def _by_section(labels: npt.NDArray[Any], connectivity: int) -> npt.NDArray[np.uint32]:
    pieces, last = np.zeros(labels.shape, np.uint32), 0
    for z, section in enumerate(labels):
        numbered = _pieces(section, connectivity)
        pieces[z] = np.where(numbered > 0, numbered + np.uint32(last), 0)
        last = max(last, int(pieces[z].max(initial=0)))
    return pieces


def _pieces(labels: npt.NDArray[Any], connectivity: int) -> npt.NDArray[np.uint32]:
    # cc3d drops axes of length 1, and takes no large ids where one axis is left
    alone = max(labels.shape, default=0) == labels.size
    pieces = _of_a_line(labels) if alone else _by_cc3d(labels, connectivity)
    return pieces.reshape(labels.shape)


def _by_cc3d(labels: npt.NDArray[Any], connectivity: int) -> npt.NDArray[np.uint32]:
    pieces: npt.NDArray[np.uint32] = cc3d.connected_components(
        labels, connectivity=connectivity, out_dtype=np.uint32
    )
    return pieces


def _of_a_line(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    line = labels.reshape(-1)
    begins = line != 0
    begins[1:] &= line[1:] != line[:-1]
    return np.where(line != 0, np.cumsum(begins), 0).astype(np.uint32)
