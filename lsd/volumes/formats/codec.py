"""How chunks are compressed: zstd frames with a checksum of their content, which every reader of
zstd checks.

That it is there is said in the frame, so it need not be said in the metadata of the array, and must
not be: readers other than zarr 2 (tensorstore, zarrs) refuse a compressor with words that they do
not know.
"""

from __future__ import annotations

from typing import Any

from numcodecs import Zstd


class Checked(Zstd):  # type: ignore[misc]
    """Zstd with checksums, described without a word of them."""

    def __init__(self, level: int = 1) -> None:
        super().__init__(level=level, checksum=True)

    def get_config(self) -> dict[str, Any]:
        """The codec as it is described in the metadata."""
        return {"id": self.codec_id, "level": self.level}


def with_checksums(array: Any) -> Any:
    """`array`, an open zarr array: what is written through it has checksums, where it is compressed
    by zstd."""
    compressor = array.compressor
    if getattr(compressor, "codec_id", "") == "zstd":
        array._compressor = Checked(compressor.level)
    return array
