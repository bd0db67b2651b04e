"""What the steps of a volume's segmentation are made from, and its blocks.

Ids need no communication.  Fragment n of block b is b * (voxels of a block) + n, so that an id
tells its block, and fragments end where their block does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.segmentation.kernels.prediction import Channels, Learned, Offsets, Prediction, range_of
from lsd.segmentation.over_blocks.both_ends import ForegroundMask, OpenForegroundMask
from lsd.spec import Decoder, Segment
from lsd.spec.code import is_outside
from lsd.spec.effect import NoEffect
from lsd.volumes.array import Array
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput
from lsd.volumes.volume import OpenVolume

# sizes of blocks are rounded up to it, so that chunks have handy sizes
_STEP = 32

# the volume whose known voxels are segmented, or a prediction that says where objects are
MaskInput = VolumeInput | ForegroundMask
OpenMask = OpenVolume | OpenForegroundMask
Apart = Annotated[int, NoEffect("the size of the blocks, which are part of every fingerprint")]


class HeadInput(NamedTuple):
    """A predicted head; what is said of its channels is as of `Channels`."""

    array: ArrayInput
    neighborhood: Offsets | None
    occupancy: Offsets | None = None
    names: tuple[str, ...] = ()
    learned: Learned | None = None

    def described(self, array: Array) -> Callable[[NDArray[Any]], Prediction]:
        """From what is read of its array, which is open, to a prediction: with what is known of
        it."""
        channels = Channels(
            array.channels or 0, self.neighborhood, self.occupancy, self.names, self.learned
        )
        limits = range_of(array.source.handle.attrs)
        size = array.voxel_size if array.calibrated else None
        return partial(Prediction.of, channels=channels, limits=limits, voxel_size=size)


def learned_heads(heads: Mapping[str, HeadInput], decoder: Decoder) -> dict[str, Learned]:
    """What heads learned, as far as that is known, for a decoder of one's own, which may go by it.

    One of this package does not, where it makes what a block holds: its results follow from less.
    """
    return {
        name: head.learned
        for name, head in heads.items()
        if head.learned is not None and is_outside(decoder)
    }


@dataclass(frozen=True)
class Inputs:
    """What the steps of a volume are made from.

    roi:   of the prediction
    heads: those that the decoder reads
    mask:  where there may be segments; None: everywhere
    """

    settings: Segment
    roi: Roi
    heads: Mapping[str, HeadInput]
    mask: MaskInput | None

    @property
    def images(self) -> VolumeInput | None:
        """The volume that says where its images lie; None where its sections are no images."""
        known = self.mask.known if isinstance(self.mask, ForegroundMask) else self.mask
        return known if known is not None and known.volume.images else None

    @property
    def grid(self) -> Grid:
        """Its blocks."""
        return segmentation_grid(self.roi, self.settings)

    @property
    def apart(self) -> int:
        """How far the ids of two blocks are apart."""
        return voxels_per_block(self.grid)

    def around(self, context: Sequence[int]) -> Grid:
        """Its blocks with another context, voxels; of fewer values, those of the last axes."""
        far = (0,) * (self.roi.dims - len(context)) + tuple(context)
        step = (1,) * self.roi.dims
        return tile(self.roi, self.grid.compute_shape, step=step, context=(far, far))

    def one_block(self) -> Grid:
        """All of it at once."""
        none = (0,) * self.roi.dims
        return tile(self.roi, self.roi.shape, step=(1,) * self.roi.dims, context=(none, none))

    def own(self, container: Path, name: str) -> OwnArray:
        """An array that an earlier step wrote, as it is now."""
        return OwnArray.of(container, name, revision=self.settings.revision)


def segmentation_grid(roi: Roi, settings: Segment) -> Grid:
    """Blocks of about the size of the config, as even as they can be, with its context."""
    shape = [even(n, most) for n, most in zip(roi.shape, settings.block[-roi.dims :], strict=True)]
    context = settings.context[-roi.dims :]
    return tile(roi, shape, step=(1,) * roi.dims, context=(context, context))


def voxels_per_block(grid: Grid) -> int:
    """Of a whole block: how far the ids of two blocks are apart."""
    return int(np.prod([int(n) for n in grid.write_shape], dtype=object))


def first_section(begin: Coordinate) -> int:
    """z of the first section; a plane has none."""
    return int(begin[0]) if begin.dims == 3 else 0


def open_mask(mask: MaskInput | None, array: Array) -> OpenMask | None:
    """What says where there may be segments, on the grid of an array."""
    return None if mask is None else mask.open().on_grid(array.remainder)


def even(extent: int, most: int) -> int:
    """An even share of `extent` for as few blocks as there can be of at most `most`, in handy
    steps."""
    if extent <= most:
        return extent
    share = -(-extent // -(-extent // most))
    return min(most, -(-share // _STEP) * _STEP)
