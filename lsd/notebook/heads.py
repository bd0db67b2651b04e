"""Predicted heads as arrays, and what decoders must know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import number, offsets_of
from lsd.arrays.offsets import for_dims
from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.kernels.prediction import Offsets, Prediction
from lsd.spec import NEAREST, Segment
from lsd.spec.mistakes import brief

# the lowest and the highest value that a head may give
Range = tuple[float, float]
_UNIT: Range = (0.0, 1.0)
# what values may miss their range by, rounding
_ROUNDING = 1e-3


class Heads(dict[str, NDArray[np.float32]]):
    """What a network predicted: {name: float32 (c, z, y, x)}, in 2D (c, y, x).

    neighborhoods: the offset of each channel in voxels of heads that are affinities, by name
    ranges:        lowest and highest value of each head, by name
    occupancies:   the offset of each channel in voxels of heads that say where objects are around a
                   voxel, by name
    channels:      names of the channels, of heads that have such, by name
    voxel_size:    nm, one an axis; None: it is not known
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        *,
        neighborhoods: Mapping[str, Offsets],
        ranges: Mapping[str, Range],
        occupancies: Mapping[str, Offsets] | None = None,
        channels: Mapping[str, tuple[str, ...]] | None = None,
        voxel_size: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(arrays)
        self.neighborhoods = dict(neighborhoods)
        self.ranges = dict(ranges)
        self.occupancies = dict(occupancies or {})
        self.channels = dict(channels or {})
        self.voxel_size = voxel_size


def predictions(
    heads: Any,
    *,
    neighborhood: Any,
    ranges: Any = None,
    voxel_size: tuple[float, ...] | None = None,
    decoder: DecoderKind,
    settings: Segment,
) -> dict[str, Prediction]:
    """What the decoder reads: of heads by name, or of the one array that it wants.

    neighborhood: offsets of the affinities, or of what is said of voxels around, or {name of a
                  head: offsets}; None: those that the heads were predicted with, else, of
                  affinities, those of the nearest voxels
    voxel_size:   nm, one an axis; None: that which the heads were predicted with
    ranges:       (lowest, highest) value of a head, or {name of a head: (lowest, highest)}; None:
                  those that the heads were predicted with, and 0..1 of affinities
    Raises ValueError for a head that is missing, one whose range is not known, and for values,
    offsets and ranges that do not fit.
    """
    wanted = decoder.reads(settings)
    arrays = _by_name(heads, wanted, kind=decoder.spec.kind)
    known = heads if isinstance(heads, Heads) else Heads({}, neighborhoods={}, ranges={})
    offsets = known.neighborhoods | _offsets(neighborhood, wanted, settings.affinities)
    occupancies = dict(known.occupancies)
    if decoder.reads_occupancy:
        # what is said of voxels around is no affinity
        occupancies |= {name: offsets.pop(name) for name in wanted if name in offsets}
    if decoder.reads_affinities:
        name = settings.affinities
        offsets[name] = offsets.get(name) or _nearest(arrays[name])
    limits = known.ranges | _ranges(heads, ranges, wanted)
    if decoder.reads_occupancy:
        limits = dict.fromkeys(wanted, _UNIT) | limits
    made = {
        name: replace(
            _prediction(name, array, offsets.get(name), limits.get(name)),
            occupancy=occupancies.get(name),
            names=known.channels.get(name, ()),
            voxel_size=voxel_size or known.voxel_size,
        )
        for name, array in arrays.items()
    }
    _check_shapes(made)
    wrong = decoder.misfit({name: head.channels for name, head in made.items()})
    if wrong:
        raise ValueError(wrong)
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


def _offsets(neighborhood: Any, wanted: Sequence[str], affinities: str) -> dict[str, Offsets]:
    """Offsets of heads by name, as far as they are given."""
    if neighborhood is None:
        return {}
    if isinstance(neighborhood, Mapping):
        return {name: offsets_of(offsets) for name, offsets in neighborhood.items()}
    name = affinities if affinities in wanted or len(wanted) > 1 else wanted[0]
    return {name: offsets_of(neighborhood)}


def _ranges(heads: Any, ranges: Any, wanted: Sequence[str]) -> dict[str, Range]:
    """Ranges of heads by name, as far as they are given."""
    if ranges is None:
        return {}
    if not isinstance(ranges, Mapping):
        if len(wanted) > 1:
            raise ValueError(
                f"ranges is one pair for {len(wanted)} heads, {', '.join(wanted)}; give one a "
                f"head, as in ranges={{{wanted[0]!r}: (0, 1), ...}}"
            )
        return {wanted[0]: _range(ranges)}
    names = list(heads) if isinstance(heads, Mapping) else wanted
    for name in ranges:
        if name not in names:
            raise ValueError(
                f"ranges names the head {name!r}; those given are: {', '.join(map(str, names))}"
            )
    return {name: _range(limits) for name, limits in ranges.items()}


def _range(limits: Any) -> Range:
    try:
        low, high = (number(value, "range") for value in limits)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise ValueError(
            f"the range of a head is its lowest and its highest value, as in (-1, 1); got "
            f"{brief(limits)}"
        )
    return low, high


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
    name: str, values: NDArray[Any], offsets: Offsets | None, limits: Range | None
) -> Prediction:
    if offsets is not None:
        _check_unit(name, limits or _UNIT)
        return Prediction(checked(values, offsets), offsets, _UNIT)
    if values.ndim not in (3, 4) or (values.dtype.kind != "f" and values.dtype != np.uint8):
        raise ValueError(
            f"head {name!r} is {values.dtype} of shape {values.shape}; allowed: floats, or uint8 "
            f"(0..255), (c, z, y, x) or (c, y, x)"
        )
    if limits is None:
        raise ValueError(
            f"head {name!r}: an array does not say between which values its target lies; give "
            f"them, as in ranges={{{name!r}: (0, 1)}}, or the heads as lsd.load(...).predict gave "
            f"them"
        )
    _check_steps(name, values, limits)
    if values.dtype.kind == "f" and values.size:
        _check_range(name, values, limits)
    return Prediction(values.astype(values.dtype.newbyteorder("="), copy=False), None, limits)


def _check_unit(name: str, limits: Range) -> None:
    if limits != _UNIT:
        raise ValueError(
            f"head {name!r} holds affinities, which lie in 0..1; its range is "
            f"{limits[0]:g}..{limits[1]:g}"
        )


def _check_steps(name: str, values: NDArray[Any], limits: Range) -> None:
    if values.dtype == np.uint8 and not np.isfinite(limits).all():
        raise ValueError(
            f"head {name!r} is uint8, whose 0..255 mean a range that ends on both sides; it is "
            f"{limits[0]:g}..{limits[1]:g}"
        )


def _check_range(name: str, values: NDArray[Any], limits: Range) -> None:
    low, high = float(values.min()), float(values.max())
    if not limits[0] - _ROUNDING <= low <= high <= limits[1] + _ROUNDING:
        raise ValueError(
            f"head {name!r} lies in {low:.4g}..{high:.4g}, allowed: {limits[0]:g}..{limits[1]:g}; "
            f"give the range of its target, as in ranges={{{name!r}: (-1, 1)}}"
        )


def _check_shapes(heads: Mapping[str, Prediction]) -> None:
    shapes = {name: head.values.shape[1:] for name, head in heads.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"heads have different shapes: {listed}; predict them together")
