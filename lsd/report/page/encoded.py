"""Pictures as text that a page holds in itself."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

# of photographs, 0..100; above, files grow and nothing more is seen
_QUALITY = 82


def data_url(picture: NDArray[Any], *, exact: bool) -> str:
    """A picture (y, x, 3) in 0..1 as a WebP data URL.

    exact: pixel by pixel, for labels, whose colours mean something; else as a photograph
    """
    from matplotlib.image import imsave

    pixels = np.clip(np.asarray(picture) * 255 + 0.5, 0, 255).astype(np.uint8)
    how: dict[str, Any] = {"lossless": True} if exact else {"quality": _QUALITY}
    file = BytesIO()
    imsave(file, np.ascontiguousarray(pixels), format="webp", pil_kwargs=how)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
