"""Local shape descriptors on a torch device, by the same sums as on the cores.

Each tile of an object sees a window of samples around it; blurring along an axis is a product with
a banded matrix.  Tiles of one shape are computed together.  Float64 throughout (see
lsd.targets.blur), so the device has to know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lsd.targets import windows
from lsd.targets.channels import FLOOR, Scale
from lsd.targets.objects import Objects

if TYPE_CHECKING:
    from torch import Tensor

# cells that a tile describes along each axis, at most; objects up to this size are one tile
LARGEST = 64
# shapes of tiles are rounded up to this, so that many are alike
ROUND = 8
# numbers in the moments of tiles that are computed together
BATCH = 2**26

Tile = tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]


def descriptors_on_device(
    volume: npt.NDArray[Any], objects: Objects, scale: Scale, *, mode: windows.Mode, device: str
) -> Tensor:
    """Descriptors of `volume` (z, y, x), whose objects are `objects`: float32 (c, z, y, x) on the
    device."""
    import torch

    _check(device)
    labels = torch.from_numpy(_indexed(volume, objects)).to(device)
    samples = labels[:: scale.factor[0], :: scale.factor[1], :: scale.factor[2]]
    channels = [scale.slots.index(slot) for slot in range(sum(slot >= 0 for slot in scale.slots))]
    out = torch.zeros((len(channels), *volume.shape), dtype=torch.float32, device=device)
    reach = [
        windows.radius(sigma / cell, mode)
        for sigma, cell in zip(scale.sigma, scale.cell, strict=True)
    ]
    for shape, margin, ids, corners in _batches(objects.boxes(scale.factor), reach):
        index = torch.as_tensor(ids, device=device)
        corner = torch.as_tensor(corners, device=device)
        mask = _windows(
            samples, index, corner - torch.as_tensor(margin, device=device), shape, margin
        )
        moments = (
            _gaussian(mask, shape, margin, scale)
            if mode == "gaussian"
            else _ball(mask, shape, margin, scale)
        )
        _write(out, labels, index, corner, _normalised(moments, corner, scale)[:, channels], scale)
    return out


def _check(device: str) -> None:
    """Raises ValueError unless something can be computed there."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        [reason, *_] = str(error).splitlines()
        raise ValueError(
            f"device {device!r} cannot be used ({reason}); None computes on the cores of this "
            f"machine"
        ) from None


def _indexed(volume: npt.NDArray[Any], objects: Objects) -> npt.NDArray[np.int32]:
    """Labels as 1 .. k: torch compares no uint64."""
    if not len(objects.ids):
        return np.zeros(volume.shape, np.int32)
    # every label but 0 is among the ids
    return np.where(volume != 0, np.searchsorted(objects.ids, volume) + 1, 0).astype(np.int32)


def _batches(
    boxes: npt.NDArray[np.int64], reach: list[int]
) -> Iterator[
    tuple[tuple[int, ...], tuple[int, ...], npt.NDArray[np.int64], npt.NDArray[np.int64]]
]:
    """Tiles of one shape, a batch at a time: (shape, margin of samples around it, objects from 1,
    corners in cells)."""
    tiles: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[int, ...]]] = {}
    for number, box in enumerate(boxes, start=1):
        size = box[1::2] - box[::2]
        steps = [np.arange(begin, end, LARGEST) for begin, end in box.reshape(3, 2)]
        shape = tuple(int(min(LARGEST, -(-n // ROUND) * ROUND)) if n > 1 else 1 for n in size)
        # nothing of an object lies beyond its box
        margin = tuple(r if n > LARGEST else 0 for n, r in zip(size, reach, strict=True))
        corners = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
        tiles.setdefault((shape, margin), []).extend(
            (number, *map(int, corner)) for corner in corners
        )
    for (shape, margin), rows in tiles.items():
        many = max(
            1, BATCH // int(10 * np.prod([n + 2 * m for n, m in zip(shape, margin, strict=True)]))
        )
        for begin in range(0, len(rows), many):
            batch = np.array(rows[begin : begin + many], np.int64)
            yield shape, margin, batch[:, 0], batch[:, 1:]


def _windows(
    samples: Tensor, ids: Tensor, corners: Tensor, shape: tuple[int, ...], margin: tuple[int, ...]
) -> Tensor:
    """Masks (n, z, y, x) of the objects in windows of shape + 2 margin that begin at `corners`,
    which may lie outside."""
    import torch

    sizes = [n + 2 * m for n, m in zip(shape, margin, strict=True)]
    z, y, x = (_positions(corners[:, axis], sizes[axis], axis) for axis in range(3))
    last = torch.tensor(samples.shape, device=samples.device) - 1
    inside = (z >= 0) & (z <= last[0]) & (y >= 0) & (y <= last[1]) & (x >= 0) & (x <= last[2])
    read = samples[z.clamp(0, int(last[0])), y.clamp(0, int(last[1])), x.clamp(0, int(last[2]))]
    return inside & (read == ids[:, None, None, None])


def _positions(begin: Tensor, size: int, axis: int) -> Tensor:
    """begin, begin + 1, ... along one of z y x: (n, size, 1, 1) for z."""
    import torch

    places = begin[:, None] + torch.arange(size, device=begin.device)
    return places.reshape(len(begin), *(size if axis == other else 1 for other in range(3)))


def _gaussian(
    mask: Tensor, shape: tuple[int, ...], margin: tuple[int, ...], scale: Scale
) -> Tensor:
    """The ten moments about each cell of the tiles, (n, 10, z, y, x): of 1, z, y, x, zz, yy, xx,
    zy, zx, yx."""
    import torch

    z, y, x = (
        torch.as_tensor(_bands(n, m, sigma / cell), device=mask.device)
        for n, m, sigma, cell in zip(shape, margin, scale.sigma, scale.cell, strict=True)
    )
    rows = torch.einsum("nzyu,kux->nkzyx", mask.double(), x)
    # pairs of powers of y and x whose sum is at most 2
    planes = {
        (b, c): torch.einsum("nzvx,vy->nzyx", rows[:, c], y[b])
        for b in range(3)
        for c in range(3 - b)
    }
    moments = {
        (a, b, c): torch.einsum("nwyx,wz->nzyx", planes[b, c], z[a])
        for a in range(3)
        for b in range(3 - a)
        for c in range(3 - a - b)
    }
    return torch.stack([moments[powers] for powers in POWERS], dim=1)


# of the moments 1, z, y, x, zz, yy, xx, zy, zx, yx in z y x
POWERS = (
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (2, 0, 0),
    (0, 2, 0),
    (0, 0, 2),
    (1, 1, 0),
    (1, 0, 1),
    (0, 1, 1),
)


def _bands(size: int, margin: int, sigma: float) -> npt.NDArray[np.float64]:
    """(3, size + 2 margin, size): weights w, t w, t^2 w of each sample of a window, seen from each
    cell."""
    weights = windows.moments(windows.gaussian(sigma))
    reach = weights.shape[1] // 2
    steps = np.arange(size + 2 * margin)[:, None] - margin - np.arange(size)
    return np.where(np.abs(steps) <= reach, weights[:, np.clip(steps + reach, 0, 2 * reach)], 0.0)


def _ball(mask: Tensor, shape: tuple[int, ...], margin: tuple[int, ...], scale: Scale) -> Tensor:
    """As `_gaussian`, for a ball.  Moments of whole numbers are whole numbers: rounding makes the
    Fourier transform exact."""
    import torch

    inside = windows.ball(
        [sigma / cell for sigma, cell in zip(scale.sigma, scale.cell, strict=True)]
    )
    sizes = [n + r for n, r in zip(mask.shape[1:], inside.shape, strict=True)]
    kernel = torch.fft.rfftn(torch.as_tensor(inside, device=mask.device).double(), s=sizes)
    places = [torch.arange(n, device=mask.device).double() - n // 2 for n in mask.shape[1:]]
    z, y, x = torch.meshgrid(*places, indexing="ij")
    first = [n // 2 + m for n, m in zip(inside.shape, margin, strict=True)]
    part = tuple(slice(begin, begin + n) for begin, n in zip(first, shape, strict=True))
    sums = []
    for a, b, c in POWERS:
        spectrum = torch.fft.rfftn(mask * (z**a * y**b * x**c), s=sizes, dim=(1, 2, 3))
        sums.append(
            torch.fft.irfftn(spectrum * kernel, s=sizes, dim=(1, 2, 3))[
                (slice(None), *part)
            ].round()
        )
    centre = [
        axis[tuple(slice(m, m + n) for m, n in zip(margin, shape, strict=True))]
        for axis in (z, y, x)
    ]
    return _centred(torch.stack(sums, dim=1), centre) / float(inside.sum())


def _centred(sums: Tensor, centre: list[Tensor]) -> Tensor:
    """Moments about the origin, moved to each cell, whose z y x are `centre`."""
    moved = sums.clone()
    for axis in range(3):
        moved[:, 1 + axis] -= centre[axis] * sums[:, 0]
        moved[:, 4 + axis] += centre[axis] * (centre[axis] * sums[:, 0] - 2 * sums[:, 1 + axis])
    for place, (i, j) in enumerate(((0, 1), (0, 2), (1, 2)), start=7):
        moved[:, place] += (
            centre[i] * (centre[j] * sums[:, 0] - sums[:, 1 + j]) - centre[j] * sums[:, 1 + i]
        )
    return moved


def _normalised(moments: Tensor, corners: Tensor, scale: Scale) -> Tensor:
    """The ten channels from the ten moments, (n, 10, z, y, x) both."""
    import torch

    cell, sigma, reach = (
        torch.tensor(three, dtype=torch.float64, device=moments.device)[:, None, None, None]
        for three in (scale.cell, scale.sigma, scale.reach)
    )
    count = torch.where(moments[:, :1] == 0, 1.0, moments[:, :1])
    mean = moments[:, 1:4] / count * cell
    variance = (moments[:, 4:7] / count * cell**2 - mean**2).clamp(min=FLOOR)
    i, j = [0, 0, 1], [1, 2, 2]
    mixed = moments[:, 7:] / count * cell[i] * cell[j] - mean[:, i] * mean[:, j]
    pearson = mixed / (variance[:, i] * variance[:, j]).sqrt()
    # by the definition an object that the window misses has its mean at the origin
    place = torch.cat(
        [
            p.expand(mean[:, :1].shape[0], *mean.shape[2:])[:, None]
            for p in _places(corners, mean.shape[2:])
        ],
        1,
    )
    offset = torch.where(moments[:, :1] == 0, -place * cell, mean)
    parts = [offset / reach * 0.5 + 0.5, variance / sigma**2, pearson * 0.5 + 0.5, count]
    return torch.cat(parts, dim=1).clamp(0, 1).float()


def _places(corners: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    return [_positions(corners[:, axis], shape[axis], axis) for axis in range(3)]


def _write(
    out: Tensor, labels: Tensor, ids: Tensor, corners: Tensor, values: Tensor, scale: Scale
) -> None:
    """Gives each voxel of the tiles' objects the values (n, c, z, y, x) of its cell."""
    import torch

    factor = torch.tensor(scale.factor, device=labels.device)
    shape = tuple(n * f for n, f in zip(values.shape[2:], scale.factor, strict=True))
    mask = _windows(labels, ids, corners * factor, shape, (0, 0, 0))
    tile, z, y, x = mask.nonzero(as_tuple=True)
    begin = corners[tile] * factor
    cells = (z // scale.factor[0], y // scale.factor[1], x // scale.factor[2])
    out[:, begin[:, 0] + z, begin[:, 1] + y, begin[:, 2] + x] = values[tile, :, *cells].T
