"""Local occupancy vectors: what each voxel says of the voxels of a kernel around it, and what all
that say something of a voxel agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.arguments import explaining_calls, number, offsets_of
from lsd.arrays.ids import ids, set_voxels
from lsd.arrays.offsets import Offset, check_neighborhood, offsets_for, reach, warn_beyond
from lsd.targets.pairs import alike, neighbour_in_any, of_pairs
from lsd.targets.target import Known, Sample, TargetKind, Values

Mode = Literal["foreground", "instance"]
_DEFAULT = spec.Occupancy()
# what uint8 counts in
STEP = 1 / 255


@explaining_calls
def occupancy(
    labels: npt.NDArray[Any],
    offsets: Sequence[Sequence[int]],
    *,
    mode: Mode = _DEFAULT.mode,
    mask: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Local occupancy vectors of `labels` (z, y, x) and where they are known, both (c, z, y, x),
    float32 and bool; 2D drops z.

    labels:  any integers >= 0, or bool; 0 is background
    offsets: (c, 3) in voxels, in 2D (c, 2) and no z; 0, the voxel itself, may be one
    mode:    channel k of voxel v is 1 where, by "foreground", label(v + k) > 0, and by "instance",
             label(v) == label(v + k) > 0, as affinities are
    mask:    voxels that are known, not 0; None: all

    It is known where v + k is inside the volume and both are known.  Raises ValueError if an offset
    or the mask has another dimension than labels, for offsets that are given twice, an unknown
    mode, and labels that are no ids; warns of offsets that are longer than the volume.

    >>> import lsd, numpy
    >>> labels = numpy.array([[1, 1, 2, 0]])
    >>> target, known = lsd.occupancy(labels, [(0, 0), (0, 1)], mode="foreground")
    >>> target.tolist(), known[1].tolist()
    ([[[1.0, 1.0, 1.0, 0.0]], [[1.0, 1.0, 0.0, 0.0]]], [[True, True, True, False]])
    """
    labels = ids(labels, "labels")
    steps = offsets_for(labels.shape, offsets_of(offsets), centre=True)
    warn_beyond(labels.shape, steps)
    known = set_voxels(mask, labels.shape)
    match mode:
        case "foreground":
            answer = neighbour_in_any(labels)
        case "instance":
            answer = alike(labels)
        case _:
            raise ValueError(f"mode {mode!r} is unknown; allowed: foreground, instance")
    return of_pairs(answer, steps, shape=labels.shape, known=known)


@explaining_calls
def consensus(
    prediction: npt.NDArray[Any],
    offsets: Sequence[Sequence[int]],
    *,
    weights: Sequence[float] | None = None,
    seen: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What all opinions on a voxel agree on: their mean and their variance, both (z, y, x) float32;
    2D drops z.

        c(u) = sum_k w_k p_k(u - k) / sum_k w_k        over k of which u - k was seen

    prediction: (c, z, y, x) of mode "foreground": floats in 0..1, or uint8, whose 0..255 mean that
    offsets:    (c, 3) in voxels, in 2D (c, 2), one for each channel
    weights:    w, 0 or more, one for each channel; None: 1
    seen:       (z, y, x), of which voxels there is a prediction; None: of all

    The variance, sum_k w_k (p_k(u - k) - c(u))^2 / sum_k w_k, is where the network disagrees with
    itself.  Both are NaN where nothing is said of a voxel, which no kernel with its middle leaves
    where all was seen.
    Sums are float64, and no array is made but the two.  Raises ValueError where numbers of
    channels, offsets and weights differ, and for predictions that are no numbers.

    >>> import lsd, numpy
    >>> prediction = numpy.array([[[1.0, 0.5]], [[0.0, 0.0]]])
    >>> probability, variance = lsd.consensus(prediction, [(0, 0), (0, 1)])
    >>> probability.tolist(), variance.tolist()
    ([[1.0, 0.25]], [[0.0, 0.0625]])
    """
    values, scale = _numbers(prediction)
    steps = check_neighborhood(offsets_of(offsets), centre=True)
    if values.ndim != len(steps[0]) + 1 or len(steps) != len(values):
        raise ValueError(
            f"prediction has shape {values.shape}, and there are {len(steps)} offsets of "
            f"{len(steps[0])} axes; give (channels, z, y, x), in 2D (channels, y, x), and one "
            "offset for each channel"
        )
    shape, flat = values.shape[1:], (1,) * (4 - values.ndim)
    known = set_voxels(seen, shape, of="the prediction")
    where = np.empty((0, 0, 0), np.bool_)
    if known is not None:
        where = np.ascontiguousarray(known).reshape(*flat, *shape)
    by_channel = np.zeros((len(steps), 3), np.int64)
    by_channel[:, len(flat) :] = steps
    both = np.empty((2, *flat, *shape), np.float32)
    _consensus(
        values.reshape(len(values), *flat, *shape),
        by_channel,
        _weights(weights, channels=len(steps)),
        scale,
        where,
        *both,
    )
    probability, variance = both.reshape(2, *shape)
    return probability, variance


def _numbers(prediction: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float]:
    """The prediction as the kernel takes it, and what its numbers are multiplied with."""
    values = np.asarray(prediction)
    if values.dtype == np.uint8:
        return values, STEP
    if values.dtype == np.bool_:
        return values.view(np.uint8), 1.0
    if values.dtype.kind != "f":
        raise ValueError(
            f"prediction is {values.dtype}; allowed: floats in 0..1, or uint8, whose 0..255 mean "
            "0..1"
        )
    kept = values.dtype in (np.dtype("f4"), np.dtype("f8"))
    return values if kept else values.astype(np.float32), 1.0


def _weights(weights: Sequence[float] | None, *, channels: int) -> npt.NDArray[np.float64]:
    if weights is None:
        return np.ones(channels)
    each = np.array([number(weight, "a weight", low=0) for weight in weights])
    if len(each) != channels or not each.any() or not np.isfinite(each).all():
        raise ValueError(
            f"weights {tuple(each.tolist())} are not one number for each of {channels} channels, 0 "
            "or more and one of them above 0"
        )
    return each


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _consensus(
    prediction: npt.NDArray[Any],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    scale: float,
    seen: npt.NDArray[np.bool_],
    probability: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
) -> None:
    """Fills both (z, y, x), a row after another: what is added up of a row stays near the core.
    seen: of no voxels: all were."""
    depth, height, width = probability.shape
    total, squares, weight = np.empty(width), np.empty(width), np.empty(width)
    for z in range(depth):
        for y in range(height):
            total[:], squares[:], weight[:] = 0.0, 0.0, 0.0
            for k in range(len(offsets)):
                from_z, from_y, step = z - offsets[k, 0], y - offsets[k, 1], offsets[k, 2]
                w = weights[k]
                if w == 0.0 or not (0 <= from_z < depth and 0 <= from_y < height):
                    continue
                begin, end = max(step, 0), min(width, width + step)
                if seen.size:
                    for x in range(begin, end):
                        if seen[from_z, from_y, x - step]:
                            p = np.float64(prediction[k, from_z, from_y, x - step]) * scale
                            total[x] += w * p
                            squares[x] += w * p * p
                            weight[x] += w
                    continue
                for x in range(begin, end):
                    p = np.float64(prediction[k, from_z, from_y, x - step]) * scale
                    total[x] += w * p
                    squares[x] += w * p * p
                    weight[x] += w
            for x in range(width):
                mean = total[x] / weight[x]
                spread = squares[x] / weight[x] - mean * mean
                probability[z, y, x] = mean
                # rounding alone makes it less than 0; NaN stays
                variance[z, y, x] = 0.0 if spread < 0.0 else spread


class OccupancyTarget(TargetKind[spec.Occupancy]):
    """Local occupancy vectors as what a head learns."""

    binary = True

    def channels(self, dims: int) -> int:
        """One for each offset of the kernel."""
        return len(self.spec.offsets_in(dims))

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """The farthest step along each axis."""
        return Coordinate(reach(self.spec.offsets_in(len(voxel_size))))

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `occupancy`."""
        offsets = self.spec.offsets_in(sample.dims)
        return occupancy(sample.labels, offsets, mode=self.spec.mode, mask=sample.known)

    def neighborhood(self, dims: int) -> tuple[Offset, ...] | None:
        """The offsets of mode "instance"."""
        return None if self.spec.mode == "foreground" else self.spec.offsets_in(dims)

    def occupancy_offsets(self, dims: int) -> tuple[Offset, ...] | None:
        """The offsets of mode "foreground"."""
        return self.spec.offsets_in(dims) if self.spec.mode == "foreground" else None

    def remarks(self, output: Sequence[int], voxel_size: Sequence[float] | None) -> list[str]:
        """What the kernel says of these voxels."""
        return self.spec.kernel.remarks(voxel_size)
