"""What the decoder `instance` reads of a volume: affinities as the mean of what both ends of a pair
say, and where objects are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.offsets import Slices, reach
from lsd.segmentation.kernels.both_ends import highest, merged, once_each
from lsd.segmentation.kernels.prediction import Offsets, Prediction, centre, range_of
from lsd.spec import Spec
from lsd.spec.effect import Wording
from lsd.volumes.array import Array, Beyond
from lsd.volumes.inputs import ArrayInput, VolumeInput
from lsd.volumes.units import Remainder
from lsd.volumes.volume import OpenVolume


class BothEnds(ArrayInput):
    """Affinities on disk that are read as `merged` gives them.

    offsets: of the channels on disk, in voxels
    images:  the volume whose sections are images of their own; None: they are not
    """

    offsets: Offsets
    # not written where they are none: jobs of before had no such field
    images: Annotated[
        VolumeInput | None,
        Wording("images were not looked at one by one"),
        Field(exclude_if=lambda images: images is None),
    ] = None

    @property
    def on_disk(self) -> ArrayInput:
        """The array as it lies there."""
        return ArrayInput(**{name: getattr(self, name) for name in ArrayInput.model_fields})

    @classmethod
    def of(cls, array: ArrayInput, offsets: Offsets, *, images: VolumeInput | None) -> BothEnds:
        """Of an array with these channels."""
        fields = {name: getattr(array, name) for name in ArrayInput.model_fields}
        return cls(**fields, offsets=offsets, images=images)

    def open(self) -> MergedArray:
        """The array.  Raises ValueError if it is another one by now."""
        array = super().open()
        images = None if self.images is None else self.images.open().on_grid(array.remainder)
        return MergedArray(array, self.offsets, images)


class MergedArray(Array):
    """Affinities on disk, of which each pair of voxels has one.

    offsets: of the channels there; images: the volume whose sections are images of their own
    """

    def __init__(self, array: Array, offsets: Offsets, images: OpenVolume | None) -> None:
        super().__init__(array.source, array.layout, array.dtype, roi=array.roi)
        self.offsets, self.images = offsets, images

    def read(self, roi: Roi, *, beyond: Beyond = "refuse") -> NDArray[Any]:
        """As the whole would be merged: pairs that lead out of `roi` are read to their other
        end."""
        around = self._around(roi)
        stored = super().read(around, beyond=beyond)
        affs = merged(stored, self.offsets)
        for image in [] if self.images is None else self.images.images_in(around):
            affs[:, *image] = merged(stored[:, *image], self.offsets)
        return np.ascontiguousarray(affs[:, *(roi - around.begin).to_slices()])

    def read_highest(self, roi: Roi) -> NDArray[np.float32]:
        """The highest affinity of each voxel (z, y, x)."""
        around = self._around(roi)
        strongest = highest(self.read(around), once_each(self.offsets))
        return np.asarray(strongest[tuple((roi - around.begin).to_slices())])

    def _around(self, roi: Roi) -> Roi:
        """As far as pairs reach, within the volume."""
        far = (0,) * (roi.dims - len(self.offsets[0])) + reach(self.offsets)
        return roi.grow(far, far).intersect(self.roi)


class ForegroundMask(Spec):
    """Where there may be objects, by what was predicted.

    source: a head of one channel, or affinities of which the highest says so
    inside: value from which on there is an object; known: the volume whose known voxels are
            segmented, None: all are; occupancy: offsets of the channels of the head, of which 0
            says so; None: it has one channel
    """

    source: ArrayInput | BothEnds
    inside: float
    known: VolumeInput | None = None
    # not written where there is none: jobs of before had no such field
    occupancy: Annotated[Offsets | None, Field(exclude_if=lambda offsets: offsets is None)] = None

    def open(self) -> OpenForegroundMask:
        """Ready to be read.  Raises ValueError if an array is another one by now."""
        known = None if self.known is None else self.known.open()
        channel = centre(self.occupancy) or 0
        return OpenForegroundMask(self.source.open(), self.inside, known, channel)


@dataclass(frozen=True, eq=False)
class OpenForegroundMask:
    """See `ForegroundMask`; it is asked as the volume is whose known voxels are segmented."""

    source: Array
    inside: float
    known: OpenVolume | None
    channel: int

    @property
    def image_sizes(self) -> NDArray[np.int64] | None:
        """Of the volume, where its sections are images."""
        return None if self.known is None else self.known.image_sizes

    def images_in(self, roi: Roi) -> list[Slices]:
        """Of the volume, where they lie in an array of `roi`."""
        return [] if self.known is None else self.known.images_in(roi)

    def on_grid(self, remainder: Remainder) -> OpenForegroundMask:
        """The same, its voxels counted on the grid with `remainder`, which is that of what was
        predicted."""
        return self if self.known is None else replace(self, known=self.known.on_grid(remainder))

    def read_known(self, roi: Roi) -> NDArray[np.bool_]:
        """Where there may be objects, (z, y, x)."""
        if isinstance(self.source, MergedArray):
            foreground = self.source.read_highest(roi)
        else:
            limits = range_of(self.source.source.handle.attrs)
            foreground = Prediction(self.source.read(roi), None, limits).scaled(self.channel)
        inside: NDArray[np.bool_] = foreground >= self.inside
        return inside if self.known is None else inside & self.known.read_known(roi)
