"""Sections that are written as TIFF files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.system.atomic import replacing

_NM_IN_CM = 1e7


def write_section(
    path: Path, data: NDArray[Any], *, voxel_size: Sequence[float], calibrated: bool = True
) -> None:
    """Writes a section (c?, y, x) as a TIFF file, deflated, which is replaced whole; voxel_size:
    nm, y x, noted as pixels in a centimetre where it is known."""
    import tifffile

    y, x = (_NM_IN_CM / nm for nm in voxel_size)
    values = data.astype(np.uint8) if data.dtype.kind == "b" else data
    with replacing(path) as staged, staged.open("wb") as file:
        tifffile.imwrite(
            file,
            values,
            compression="zlib",
            photometric="minisblack",
            resolution=(x, y) if calibrated else None,
            resolutionunit="CENTIMETER" if calibrated else None,
        )
