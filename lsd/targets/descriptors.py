"""Local shape descriptors: statistics of an object around each of its voxels.

For a voxel v of object l > 0, with m the mask of l, x the coordinate in nm and G a Gaussian window
(truncated at 3 sigma, 0 beyond the volume):

    count = G(m)      mean = G(x m) / count      cov = G(x x^T m) / count - mean mean^T

| channel 3D | 2D    | what                                  | in [0, 1] by               |
| 0 1 2      | 0 1   | mean - x, for z y x                   | / sigma * 0.5 + 0.5        |
| 3 4 5      | 2 3   | variances zz yy xx, at least 1e-3     | / sigma^2                  |
| 6 7 8      | 4     | Pearson's coefficients zy zx yx       | * 0.5 + 0.5                |
| 9          | 5     | count                                 |                            |

mode="sphere" takes an ellipsoid of half axes sigma in place of the Gaussian: count by the number of
its voxels, offsets by sigma / 2.  With downsample=f the statistics are those of labels[::f, ::f,
::f], and a voxel of l has the statistics of l at its cell v // f, whatever label was sampled there.
Where the window misses every sample of l, count is 1 and mean is 0.

Source: Sheridan et al. 2022, "Local shape descriptors for neuron segmentation", Nature Methods.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.arguments import explaining_calls, per_axis, whole_number
from lsd.arrays.caller import warn_caller
from lsd.arrays.components import connected_components
from lsd.arrays.ids import ids
from lsd.arrays.turning import Turn
from lsd.targets import objects, tiles, windows
from lsd.targets.ball import probe
from lsd.targets.blur import blur
from lsd.targets.channels import Scale
from lsd.targets.opinion import Opinion
from lsd.targets.target import Known, Sample, TargetKind, Values
from lsd.targets.windows import Mode

# the channels of 3D that are left in 2D
FLAT = (1, 2, 4, 5, 8, 9)
_DEFAULT = spec.Descriptors()
# the name of a channel, and the axes that its sign depends on
Statistic = tuple[str, tuple[int, ...]]


@explaining_calls
def descriptors(
    labels: npt.NDArray[Any],
    *,
    voxel_size: float | Sequence[float],
    sigma: float | Sequence[float],
    downsample: int = _DEFAULT.downsample,
    components: str | None = _DEFAULT.components,
    mode: Mode = _DEFAULT.mode,
    device: str | None = None,
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Descriptors of `labels` (z, y, x) or (y, x): float32 (c, z, y, x) in [0, 1], 0 on label 0.

    labels:     any integers >= 0, or bool; pieces of one label that are apart share statistics
    voxel_size: nm, one value or one an axis
    sigma:      nm, the same
    downsample: statistics on every f-th voxel along each axis; no need for it to divide the shape
    components: digits of the channels wanted, in their order: "0129"; None: all, 10 in 3D and 6 in
                2D
    mode:       window: "gaussian", or "sphere" for a ball of radius sigma
    device:     a torch device ("cuda") to compute on; None: the cores of this machine
    threads:    None: as many as numba would take (NUMBA_NUM_THREADS, by default all cores)

    Raises ValueError for labels that are not 2D or 3D integers >= 0, and for arguments that do not
    fit them.  Warns where a sigma is less than a voxel (than f of them, with downsample), or f
    voxels are more than the volume has along an axis.

    >>> import lsd, numpy
    >>> labels = numpy.zeros((16, 32, 32), numpy.uint64)
    >>> labels[:, :15], labels[:, 17:] = 1, 2
    >>> lsds = lsd.descriptors(labels, voxel_size=(8, 8, 8), sigma=40)
    >>> lsds.shape, bool(lsds[:, labels == 0].any())
    ((10, 16, 32, 32), False)
    """
    labels = ids(labels, "labels", dims=(2, 3))
    volume = np.ascontiguousarray(labels).reshape((1,) * (3 - labels.ndim) + labels.shape)
    at = scale(
        labels.ndim, voxel_size, sigma, downsample=downsample, components=components, mode=mode
    )
    for line in coarseness(volume.shape, at):
        warn_caller(line)
    if threads is not None:
        threads = whole_number(threads, "threads", low=0)
    segmented = objects.find_objects(volume)
    if device is None:
        out = np.zeros((channel_count(labels.ndim, components), *volume.shape), np.float32)
        kernel = blur if mode == "gaussian" else probe
        if len(segmented.ids):
            tiles.each(
                lambda part: kernel(part, segmented.runs, at, out),
                tiles.cut(segmented, at.factor),
                threads=threads,
            )
    else:
        from lsd.targets.descriptors_torch import descriptors_on_device

        out = descriptors_on_device(volume, segmented, at, mode=mode, device=device).numpy(
            force=True
        )
    return out.reshape(len(out), *labels.shape)


def coarseness(shape: Sequence[int], at: Scale, *, title: str = "volume") -> Iterator[str]:
    """Where statistics say little of labels of `shape`, though nothing is wrong with the arguments:
    a line for each."""
    for extent, factor, cell, sigma in zip(shape, at.factor, at.cell, at.sigma, strict=True):
        if factor > max(extent, 1) > 1:
            yield (
                f"downsample={factor} is larger than the {title}, {extent} voxels along an axis: "
                f"one sample stands for all"
            )
        if sigma < cell and extent > 1:
            voxels = (
                f"{factor} voxels, {cell:g} nm (downsample={factor})"
                if factor > 1
                else f"a voxel, {cell:g} nm"
            )
            yield (
                f"sigma of {sigma:g} nm is less than {voxels}: descriptors see little but the "
                f"voxel itself"
            )


def scale(
    dims: int,
    voxel_size: float | Sequence[float],
    sigma: float | Sequence[float],
    *,
    downsample: int = _DEFAULT.downsample,
    components: str | None = _DEFAULT.components,
    mode: Mode = _DEFAULT.mode,
) -> Scale:
    """Arguments of `descriptors` as what the kernels take: always 3D, and checked."""
    sizes = per_axis(voxel_size, "voxel_size", dims=dims, of="these labels")
    widths = per_axis(sigma, "sigma", dims=dims, of="these labels")
    downsample = whole_number(downsample, "downsample", low=1)
    if mode not in get_args(Mode):
        raise ValueError(f"mode is one of {', '.join(get_args(Mode))}, got {mode!r}")
    # a section has one cell along z, and a window that ends within it
    flat = 3 - dims
    factor = (1,) * flat + (downsample,) * dims
    cell = (1.0,) * flat + tuple(size * downsample for size in sizes)
    width = (0.1,) * flat + widths
    reach = tuple(s if mode == "gaussian" else s / 2 for s in width)
    return Scale(
        cast(Any, factor),
        cast(Any, cell),
        cast(Any, width),
        cast(Any, reach),
        _slots(dims, components),
    )


def channel_count(dims: int, components: str | None = _DEFAULT.components) -> int:
    """Channels of descriptors in 2D or 3D."""
    return sum(slot >= 0 for slot in _slots(dims, components))


def _slots(dims: int, components: str | None) -> tuple[int, ...]:
    channels = FLAT if dims == 2 else tuple(range(10))
    names = "".join(str(channel) for channel in range(len(channels)))
    wanted = names if components is None else components
    are_digits = isinstance(wanted, str) and not set(wanted) - set(names)
    if not wanted or not are_digits or len(set(wanted)) != len(wanted):
        raise ValueError(
            f"components {components!r} names channels of {dims}D by digits, each once; there are: "
            f"{names}"
        )
    places = {channels[int(digit)]: place for place, digit in enumerate(wanted)}
    return tuple(places.get(channel, -1) for channel in range(10))


class DescriptorTarget(TargetKind[spec.Descriptors]):
    """Descriptors as what a head learns."""

    def __init__(self, settings: spec.Descriptors) -> None:
        super().__init__(settings)
        self.is_local = not settings.connected

    def channels(self, dims: int) -> int:
        """The channels of `descriptors`, or the chosen components of them."""
        return channel_count(dims, self.spec.components)

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """How far the window reaches.  With downsampling it is a multiple of the factor, so that a
        region aligned to it stays so."""
        factor = self.spec.downsample
        cells = [
            windows.radius(sigma / (size * factor), self.spec.mode)
            for sigma, size in zip(self._sigma(len(voxel_size)), voxel_size, strict=True)
        ]
        # a voxel has the statistics of its cell, which begins up to factor - 1 before it
        return Coordinate(factor * cell + (factor if factor > 1 else 0) for cell in cells)

    @property
    def stride(self) -> int:
        """Statistics are of the first voxels of cells."""
        return self.spec.downsample

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `descriptors`; background is known where it is trained to 0."""
        values = descriptors(
            self._pieces(sample.labels),
            voxel_size=sample.voxel_size,
            sigma=self._sigma(sample.dims),
            downsample=self.spec.downsample,
            components=self.spec.components,
            mode=self.spec.mode,
            device=sample.device,
            threads=sample.threads,
        )
        known = sample.inside
        if self.spec.background == "ignore":
            known = known & (sample.labels != 0)
        return values, np.broadcast_to(known, values.shape)

    def remarks(self, output: Sequence[int], voxel_size: Sequence[float] | None) -> list[str]:
        """Remarks on axes along which the statistics say little."""
        assert voxel_size is not None, "sigma is in nm"
        dims = len(output)
        at = scale(
            dims,
            voxel_size,
            self._sigma(dims),
            downsample=self.spec.downsample,
            mode=self.spec.mode,
        )
        return list(
            dict.fromkeys(coarseness((1,) * (3 - dims) + tuple(output), at, title="output"))
        )

    def turned(self, turn: Turn) -> tuple[Opinion | None, ...]:
        """Offsets turn as vectors do, variances and coefficients as tensors."""
        layout = _layout(len(turn.order))
        components = self.spec.components
        channels = [layout[int(digit)] for digit in components] if components else layout
        return tuple(self._turned(channel, channels, turn) for channel in channels)

    def axis_keys(self, dims: int) -> Sequence[Hashable]:
        """Axes change places where sigma is the same along both."""
        return self._sigma(dims)

    def _turned(
        self, channel: Statistic, channels: Sequence[Statistic], turn: Turn
    ) -> Opinion | None:
        name, axes = channel
        places = tuple(sorted(turn.order.index(axis) for axis in axes))
        inverted = math.prod(-1 if turn.flips[place] else 1 for place in places) < 0
        # trained to 0 on background in every channel, which 1 - x would turn into 1
        spoils_background = inverted and self.spec.background == "zero"
        if (name, places) not in channels or spoils_background:
            return None
        return Opinion(channels.index((name, places)), (0,) * len(turn.order), inverted)

    def _pieces(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.spec.connected:
            return labels
        return connected_components(labels)[0]

    def _sigma(self, dims: int) -> tuple[float, ...]:
        """One value an axis; in 2D a sigma for z y x loses its z."""
        sigma = self.spec.sigma
        return (sigma,) * dims if isinstance(sigma, int | float) else sigma[-dims:]


def _layout(dims: int) -> list[Statistic]:
    """What each channel is: offsets, variances, Pearson's coefficients, count."""
    axes = range(dims)
    offsets = [("offset", (axis,)) for axis in axes]
    variances = [("variance", (axis, axis)) for axis in axes]
    pearson = [("pearson", pair) for pair in itertools.combinations(axes, 2)]
    return [*offsets, *variances, *pearson, ("count", ())]
