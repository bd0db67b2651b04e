"""What a network and a decoder make of a window of a volume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.network import sizes
from lsd.objects.windows import Values
from lsd.prediction.array import predict_roi
from lsd.prediction.predictor import Predictor
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.over_blocks.inputs import OpenMask, first_section
from lsd.segmentation.predicted import channels_of
from lsd.spec import Segment
from lsd.volumes.intensity import signed
from lsd.volumes.volume import OpenVolume

# windows whose raw is read before they are asked for
_AHEAD = 8
# raw by where it was read, (begin, shape)
Ahead = dict[tuple[tuple[int, ...], ...], NDArray[np.float32]]


class Sight:
    """A volume as a network sees it, window by window.

    settings: how heads are decoded, at the one threshold there is
    mask:     where there may be objects; None: everywhere
    """

    def __init__(
        self,
        volume: OpenVolume,
        predictor: Predictor,
        *,
        settings: Segment,
        mask: OpenMask | None = None,
    ) -> None:
        self.volume, self.predictor, self.mask = volume, predictor, mask
        self.settings, self.decoder = settings, decoder_of(settings)
        self.voxel_size = volume.voxel_size if volume.calibrated else None
        dims = predictor.network.dims
        self.channels = {
            name: channels_of(target.spec, dims) for name, target in predictor.targets.items()
        }
        trunk_step = sizes.step(predictor.network.trunk)
        self.step = Coordinate((1,) * (volume.roi.dims - dims) + tuple(trunk_step))

    def read_ahead(self, windows: list[Roi]) -> Ahead:
        """Raw for the first of some windows, which are looked at later."""
        blocks = [
            block
            for roi in windows[:_AHEAD]
            for block in self.predictor.plan(roi, voxel_size=self.volume.voxel_size).grid
        ]
        return {_key(block.read): self._raw(block.read) for block in blocks[:_AHEAD]}

    def look(self, roi: Roi, ahead: Ahead) -> Values:
        """Values of the heads in a window, float32 (c, *roi.shape); what was read ahead of it is
        let go."""

        def read(part: Roi) -> NDArray[np.float32]:
            known = ahead.pop(_key(part), None)
            return self._raw(part) if known is None else known

        return predict_roi(self.predictor, roi, read=read, voxel_size=self.volume.voxel_size)

    def decode(self, values: Values, roi: Roi, seen: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Objects (*roi.shape) of what was seen in a box."""
        heads = {
            name: replace(
                Prediction.of(
                    values[name],
                    self.channels[name],
                    limits=(target.storage.low, target.storage.high),
                    voxel_size=self.voxel_size,
                ),
                seen=None if seen.all() else seen,
            )
            for name, target in self.predictor.targets.items()
        }
        inside = seen if self.mask is None else seen & self.mask.read_known(roi)
        decoded = self.decoder.decode(
            heads,
            self.settings,
            mask=None if inside.all() else inside,
            first_section=first_section(roi.begin),
        )
        return decoded.segmentation(self.settings.thresholds[0])

    def _raw(self, roi: Roi) -> NDArray[np.float32]:
        return signed(self.volume.read_raw(roi))


def _key(roi: Roi) -> tuple[tuple[int, ...], ...]:
    return tuple(map(int, roi.begin)), tuple(map(int, roi.shape))
