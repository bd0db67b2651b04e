"""Predicted heads as arrays, and what decoders must know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import offsets_of
from lsd.arrays.offsets import for_dims
from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.kernels.prediction import Offsets, Prediction
from lsd.spec import NEAREST, Segment

# the lowest and the highest value that a head may give
Range = tuple[float, float]
_UNIT: Range = (0.0, 1.0)
# what values may miss their range by, rounding
_ROUNDING = 1e-3


class Heads(dict[str, NDArray[np.float32]]):
    """What a network predicted: {name: float32 (c, z, y, x)}, in 2D (c, y, x).

    neighborhoods: the offset of each channel in voxels of heads that are affinities, by name
    ranges:        lowest and highest value of each head, by name
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        *,
        neighborhoods: Mapping[str, Offsets],
        ranges: Mapping[str, Range],
    ) -> None:
        super().__init__(arrays)
        self.neighborhoods = dict(neighborhoods)
        self.ranges = dict(ranges)


def predictions(
    heads: Any, *, neighborhood: Any, decoder: DecoderKind, settings: Segment
) -> dict[str, Prediction]:
    """What the decoder reads: of heads by name, or of the one array that it wants.

    neighborhood: offsets of the affinities, or {name of a head: offsets}; None: those that the
                  heads were predicted with, else those of the nearest voxels
    Raises ValueError for a head that is missing, and for values and offsets that do not fit.
    """
    wanted = decoder.reads(settings)
    arrays = _by_name(heads, wanted, kind=decoder.spec.kind)
    offsets = _offsets(heads, neighborhood, wanted, settings.affinities)
    if decoder.reads_affinities:
        for name in wanted:
            offsets[name] = offsets.get(name) or _nearest(arrays[name])
    ranges = heads.ranges if isinstance(heads, Heads) else {}
    made = {
        name: _prediction(name, array, offsets.get(name), ranges.get(name, _UNIT))
        for name, array in arrays.items()
    }
    _check_shapes(made)
    return made


def _by_name(heads: Any, wanted: Sequence[str], *, kind: str) -> dict[str, NDArray[Any]]:
    if not isinstance(heads, Mapping):
        if len(wanted) > 1:
            named = ", ".join(f"{name!r}: ..." for name in wanted)
            raise ValueError(
                f"decoder {kind!r} reads {len(wanted)} heads, so give them by name: {{{named}}}"
            )
        return {wanted[0]: np.asarray(heads)}
    for name in wanted:
        if name not in heads:
            raise ValueError(
                f"decoder {kind!r} reads the head {name!r}; those given are: "
                f"{', '.join(map(str, heads)) or 'none'}"
            )
    return {name: np.asarray(heads[name]) for name in wanted}


def _offsets(
    heads: Any, neighborhood: Any, wanted: Sequence[str], affinities: str
) -> dict[str, Offsets]:
    """Offsets of heads by name, as far as they are known."""
    known = dict(heads.neighborhoods) if isinstance(heads, Heads) else {}
    if neighborhood is None:
        return known
    if isinstance(neighborhood, Mapping):
        return known | {name: offsets_of(offsets) for name, offsets in neighborhood.items()}
    name = affinities if affinities in wanted or len(wanted) > 1 else wanted[0]
    return known | {name: offsets_of(neighborhood)}


def _nearest(affs: NDArray[Any]) -> Offsets:
    """The offsets of affinities that are of the nearest voxels alone."""
    axes = affs.ndim - 1
    if axes not in (2, 3) or len(affs) not in (axes, 2):
        raise ValueError(
            f"affs have shape {affs.shape}; without a neighborhood they are (3, z, y, x), or (2, "
            f"...) in the plane: name the offset of each channel, as in "
            f"neighborhood=[(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0)]"
        )
    return for_dims(NEAREST, len(affs))


def _prediction(
    name: str, values: NDArray[Any], offsets: Offsets | None, limits: Range
) -> Prediction:
    if offsets is not None:
        return Prediction(checked(values, offsets), offsets, limits)
    if values.ndim not in (3, 4) or (values.dtype.kind != "f" and values.dtype != np.uint8):
        raise ValueError(
            f"head {name!r} is {values.dtype} of shape {values.shape}; allowed: floats, or uint8 "
            f"(0..255), (c, z, y, x) or (c, y, x)"
        )
    if values.dtype.kind == "f" and values.size:
        _check_range(name, values, limits)
    return Prediction(values.astype(values.dtype.newbyteorder("="), copy=False), None, limits)


def _check_range(name: str, values: NDArray[Any], limits: Range) -> None:
    low, high = float(values.min()), float(values.max())
    if not limits[0] - _ROUNDING <= low <= high <= limits[1] + _ROUNDING:
        raise ValueError(
            f"head {name!r} lies in {low:.4g}..{high:.4g}, allowed: {limits[0]:g}..{limits[1]:g}; "
            f"a head with another range is known by what lsd.load(...).predict gives"
        )


def _check_shapes(heads: Mapping[str, Prediction]) -> None:
    shapes = {name: head.values.shape[1:] for name, head in heads.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"heads have different shapes: {listed}; predict them together")
