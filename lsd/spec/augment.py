"""What is done to a training batch before targets are computed; a dataset lists these values in
order.

Values are in voxels, axes z y x; where a network is 2D the z entries are dropped.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from lsd.spec.base import (
    MOST,
    NonNegative,
    PerAxis,
    Positive,
    Probability,
    Range,
    Several,
    Shape,
)
from lsd.spec.kinds import Kind

PositiveScale = Annotated[float, Field(gt=0, le=1)]


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError(
            f"an average over {width} voxels has no middle; widths are odd, for instance "
            f"{width + 1}"
        )
    return width


def _above_zero(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] <= 0:
        raise ValueError(f"gains are above 0, got {bounds}; 1 leaves a detail as it is")
    return bounds


Deviation = Annotated[float, Field(ge=0)]
Odd = Annotated[int, Field(gt=1, le=MOST), AfterValidator(_odd)]
Gains = Annotated[Range, AfterValidator(_above_zero)]


class Augmentation(Kind):
    """What is done to a batch; see `lsd.batches.augmentations.augmentation` for what the
    class that it names does."""

    noun: ClassVar[str] = "augmentation"


class Elastic(Augmentation):
    """Deformation by a grid of random displacements, rotation, and displaced sections.

    spacing:   voxels between control points
    jitter:    standard deviation of their displacement, voxels
    rotation:  angle drawn from this range, radians
    isotropic: rotate about a random axis; otherwise about z (in the plane)
    subsample: the field is computed on a grid this much coarser and interpolated
    slip:      probability that one section is displaced
    shift:     probability that all sections from one on are
    misalign:  largest such displacement, voxels
    """

    kind: Literal["elastic"] = "elastic"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.elastic:ElasticAugmentation"
    spacing: Annotated[Shape, PerAxis] = (40, 40, 40)
    jitter: Annotated[tuple[Deviation, ...], PerAxis] = (0.0, 0.0, 0.0)
    rotation: Range = (0.0, math.pi / 2)
    isotropic: bool = False
    subsample: Positive = 8
    slip: Probability = 0.0
    shift: Probability = 0.0
    misalign: NonNegative = 0


class Simple(Augmentation):
    """Random mirroring and transposition.

    mirror:    axes that are mirrored, each in half of the samples: "zyx"
    transpose: axes that are swapped among each other
    """

    kind: Literal["simple"] = "simple"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.simple:SimpleAugmentation"
    mirror: Annotated[str, Field(pattern="^[zyx]*$")] = "zyx"
    transpose: Annotated[str, Field(pattern="^[zyx]*$")] = "zyx"


class Intensity(Augmentation):
    """raw in [0, 1] becomes (raw - mean) * scale + mean + shift.

    scale:       drawn from this range
    shift:       drawn from this range
    per_section: each section is drawn for itself; otherwise the whole batch at once
    """

    kind: Literal["intensity"] = "intensity"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.intensity:IntensityAugmentation"
    scale: Range = (0.9, 1.1)
    shift: Range = (-0.1, 0.1)
    per_section: bool = False


class Contrast(Augmentation):
    """Details of raw, from fine to coarse, become stronger or weaker, so that no network relies on
    how dark a membrane is.

    Raw is averaged over cubes of each of `widths`, one after the other; what an average takes away
    is a detail.

    widths: of the cubes, voxels, odd
    gain:   details are scaled by factors drawn from this range, evenly in their logarithm, one for
            each width
    in_xy:  averages in the plane alone, for serial sections
    """

    kind: Literal["contrast"] = "contrast"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.contrast:ContrastAugmentation"
    widths: Annotated[tuple[Odd, ...], Several] = (3, 5, 9, 17)
    gain: Gains = (0.6, 1.6)
    in_xy: bool = False


class Noise(Augmentation):
    """Gaussian noise on raw in [0, 1].

    sigma: its standard deviation is drawn from this range
    """

    kind: Literal["noise"] = "noise"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.noise:NoiseAugmentation"
    sigma: Range = (0.0, 0.05)


class Defects(Augmentation):
    """Sections that are spoilt.

    missing:        probability of a section to be missing (0)
    low_contrast:   probability of a section to have low contrast
    stained:        probability of a section to carry a dark stain
    contrast_scale: factor of the contrast of those that have low contrast
    """

    kind: Literal["defects"] = "defects"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.defects:DefectsAugmentation"
    missing: Probability = 0.03
    low_contrast: Probability = 0.01
    stained: Probability = 0.01
    contrast_scale: PositiveScale = 0.5


class GrowBoundary(Augmentation):
    """Erodes every label, so that neurons are apart.

    steps: how many voxels
    in_xy: in the plane alone, for serial sections; with 2D networks it always is
    """

    kind: Literal["grow_boundary"] = "grow_boundary"
    behaviour: ClassVar[str] = "lsd.batches.augmentations.grow_boundary:GrowBoundaryAugmentation"
    steps: Positive = 1
    in_xy: bool = False
