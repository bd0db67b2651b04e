"""Connected components of labels: the pieces of each id that lie apart."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt


def connected_components(
    labels: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[Any]]:
    """The pieces of each label, and the label of each piece: (of the shape of labels, (n + 1,)).

    labels: whole numbers (z, y, x), or (y, x); 0 is background and stays 0

    Pieces are numbered 1..n, and piece 0 is background.  Voxels that share a face, an edge or a
    corner are connected.
    """
    # cc3d drops axes of length 1, and takes no large ids where one axis is left
    alone = max(labels.shape, default=0) == labels.size
    pieces = (_of_a_line(labels) if alone else _by_cc3d(labels)).reshape(labels.shape)
    ids = np.zeros(int(pieces.max(initial=0)) + 1, labels.dtype)
    ids[pieces] = labels
    return pieces, ids


def _by_cc3d(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    connectivity = 26 if labels.ndim == 3 else 8
    pieces: npt.NDArray[np.uint32] = cc3d.connected_components(
        labels, connectivity=connectivity, out_dtype=np.uint32
    )
    return pieces


def _of_a_line(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    line = labels.reshape(-1)
    begins = line != 0
    begins[1:] &= line[1:] != line[:-1]
    return np.where(line != 0, np.cumsum(begins), 0).astype(np.uint32)
