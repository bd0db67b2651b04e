"""Whether what a head predicts is a probability, and how good it is as a mask at each threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls
from lsd.arrays.ids import set_voxels
from lsd.arrays.sums import sums
from lsd.evaluation.metrics.foreground import ForegroundScore
from lsd.evaluation.undefined import ratio

BINS = 15
# that are written down; a score at any other follows from the counts too
THRESHOLDS = tuple(n / 20 for n in range(1, 20))
# steps of 0..1 that floats are rounded to where a volume is counted in blocks, so that counts stay
# small; uint8 is counted as it is
STEPS = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted values in 0..1 that occur (n,), ascending, and how many voxels with each are 0 and
    how many are 1 in truth; exact however it was added up.

    Values are compared with thresholds in their own precision, so a float32 0.7 is 0.7.
    Source: Naeini et al. 2015 (expected calibration error).
    """

    values: NDArray[np.floating[Any]]
    zeros: NDArray[np.int64]
    ones: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        values: NDArray[np.floating[Any]],
        zeros: NDArray[np.int64],
        ones: NDArray[np.int64],
    ) -> Calibration:
        """Of values that may occur several times, in any order."""
        distinct, place = np.unique(values, return_inverse=True)
        return cls(distinct, sums(place, zeros, len(distinct)), sums(place, ones, len(distinct)))

    @classmethod
    def empty(cls) -> Calibration:
        """Of no voxels; with it a sum starts."""
        none = np.zeros(0, np.int64)
        # of the narrowest floats, so that those that are added keep their precision
        return cls(np.zeros(0, np.float16), none, none)

    def __add__(self, other: Calibration) -> Calibration:
        wide = np.result_type(self.values, other.values)
        return Calibration.of(
            np.concatenate([_widened(each.values, wide) for each in (self, other)]),
            np.concatenate([self.zeros, other.zeros]),
            np.concatenate([self.ones, other.ones]),
        )

    @property
    def voxels(self) -> int:
        """That were counted."""
        return int(self.zeros.sum() + self.ones.sum())

    def bins(self, count: int = BINS) -> list[dict[str, float | None]]:
        """Bins of equal width, each without its upper end but the last: voxels, the mean of what
        was predicted and the fraction that is 1; None where there is no voxel."""
        inner = (np.arange(1, count) / count).astype(self.values.dtype)
        place = np.searchsorted(inner, self.values, side="right").astype(np.int64)
        voxels, ones = self.zeros + self.ones, sums(place, self.ones, count)
        in_bin = sums(place, voxels, count)
        predicted = np.bincount(place, self.values * voxels, count)
        return [
            {
                "voxels": int(n),
                "predicted": ratio(float(total), int(n)),
                "true": ratio(int(one), int(n)),
            }
            for n, total, one in zip(in_bin, predicted, ones, strict=True)
        ]

    def ece(self, bins: int = BINS) -> float | None:
        """Expected calibration error: how far, in a bin, the mean of what was predicted lies from
        the fraction that is 1; the mean over the bins, each with its share of the voxels."""
        apart = 0.0
        for each in self.bins(bins):
            if each["predicted"] is not None and each["true"] is not None:
                apart += (each["voxels"] or 0) * abs(each["predicted"] - each["true"])
        return ratio(apart, self.voxels)

    def at(self, threshold: float) -> ForegroundScore:
        """The mask of what is predicted as `threshold` or more, against the truth."""
        inside = self.values >= threshold
        ones, zeros = int(self.ones[inside].sum()), int(self.zeros[inside].sum())
        return ForegroundScore(
            both=ones,
            segments_alone=zeros,
            objects_alone=int(self.ones.sum()) - ones,
            neither=int(self.zeros.sum()) - zeros,
        )

    def best_threshold(self) -> float | None:
        """The highest threshold of the highest IoU; None where nothing is 1."""
        if not self.ones.any():
            return None
        ones = np.cumsum(self.ones[::-1])[::-1]
        zeros = np.cumsum(self.zeros[::-1])[::-1]
        ious = ones / (self.ones.sum() + zeros)
        return float(self.values[len(ious) - 1 - np.argmax(ious[::-1])])

    def as_dict(self) -> dict[str, Any]:
        """As JSON: the error with its bins, and the mask at thresholds."""
        best = self.best_threshold()
        return {
            "voxels": self.voxels,
            "ones": int(self.ones.sum()),
            "ece": self.ece(),
            "best_threshold": best,
            "best": None if best is None else self.at(best).as_dict(),
            "at": {repr(threshold): self.at(threshold).as_dict() for threshold in THRESHOLDS},
            "bins": self.bins(),
        }

    def row(self) -> dict[str, float | None]:
        """What a table shows, by heading."""
        half, best = self.at(0.5), self.best_threshold()
        return {
            "ECE": self.ece(),
            "accuracy": half.accuracy,
            "IoU": half.iou,
            "Dice": half.dice,
            "best IoU": None if best is None else self.at(best).iou,
            "at": best,
        }


def _widened(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of narrower floats as the decimals that they print as: a float32 0.7 is 0.7 in float64
    too, and no less."""
    return values if values.dtype == dtype else values.astype(str).astype(dtype)


@explaining_calls
def calibration(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    *,
    mask: NDArray[Any] | None = None,
) -> Calibration:
    """How often what was predicted came true, of two arrays of one shape.

    predicted: in 0..1, or uint8 whose 255 means 1
    truth:     0, and anything else for 1
    mask:      where voxels count
    `ece()` is the expected calibration error, `at(0.5)` the mask at a threshold: iou, dice,
    accuracy.  What was counted of several volumes is added up with `+`.
    Raises ValueError for shapes that differ and values outside of 0..1.
    """
    values, is_one = np.asarray(predicted), np.asarray(truth) != 0
    if values.shape != is_one.shape:
        raise ValueError(
            f"predicted has shape {values.shape}, truth {is_one.shape}; they must agree"
        )
    inside = set_voxels(mask, is_one.shape, of="the truth")
    if inside is not None:
        values, is_one = values[inside], is_one[inside]
    return counted(values, is_one)


def counted(values: NDArray[Any], is_one: NDArray[np.bool_]) -> Calibration:
    """The counts of some voxels."""
    if values.dtype != np.uint8 and values.dtype.kind != "f":
        raise ValueError(
            f"predicted is {values.dtype}; allowed: floats in 0..1, or uint8, whose 255 means 1"
        )
    distinct, place = np.unique(values.reshape(-1), return_inverse=True)
    as_floats = distinct / 255 if values.dtype == np.uint8 else distinct
    if len(as_floats) and not 0 <= as_floats[0] <= as_floats[-1] <= 1:
        raise ValueError(
            f"predicted lies in {as_floats[0]:g}..{as_floats[-1]:g}; probabilities lie in 0..1: "
            "of logits take the sigmoid"
        )
    ones = np.bincount(place[is_one.reshape(-1)], minlength=len(distinct))
    zeros = np.bincount(place, minlength=len(distinct)) - ones
    return Calibration(as_floats, zeros.astype(np.int64), ones.astype(np.int64))


def added(calibrations: Iterable[Calibration]) -> Calibration:
    """The counts of several as those of one."""
    return sum(calibrations, Calibration.empty())
