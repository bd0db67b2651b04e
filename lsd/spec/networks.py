"""Trunks of a network and the sizes it is fed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lsd.spec.base import Ints, Positive, Shape, Spec
from lsd.spec.kinds import Kind
from lsd.spec.plurals import counted

Kernels = tuple[Shape, ...]


def _check_sizes(kernels: Kernels, context: Ints | None, *, dims: int) -> None:
    """Outputs lie in the centre of their inputs, voxel by voxel: kernels are odd, and a context has
    one number an axis."""
    for kernel in kernels:
        if any(size % 2 == 0 for size in kernel):
            raise ValueError(
                f"kernel {kernel} is even along an axis, so its output has no centre; take odd "
                f"sizes"
            )
    if context is not None and (len(context) != dims or min(context) < 0):
        raise ValueError(
            f"context {context} must be {dims} voxels a side, one an axis, each 0 or more"
        )


class Trunk(Kind):
    """A network before its heads; `lsd.network.trunks.trunk` says how to write one.

    features_out: maps that the heads read; None: the kind's default
    context:      voxels a side that a same-padded trunk discards when it predicts; None: half its
                  receptive field
    """

    noun: ClassVar[str] = "trunk"
    features_out: Positive | None = None
    context: Ints | None = None

    @property
    def dims(self) -> int:
        """2 or 3."""
        raise TypeError(f"trunk {self.kind!r} does not say in how many axes it works: give it dims")


class UNet(Trunk):
    """The paper's U-Net: `features` maps, times `multiplier` a level; maps shrink by `factors` from
    level to level.

    features:      maps of the first level
    multiplier:    times as many maps from level to level
    factors:       voxels an axis that become one from level to level
    kernels:       convolutions of one level and side
    level_kernels: one such list for each level instead; None: `kernels` at every level
    activation:    between convolutions: "relu", "elu" or "gelu"
    features_out:  maps before the heads; None: `features` (the paper's MtLSD: 14)
    padding:       "valid", or "same" with an explicit `context`
    context:       voxels a side that a same-padded trunk discards when it predicts; None: its
                   receptive field's half
    upsample:      "transposed" (the paper) or "nearest" followed by a 1x1x1 convolution
    norm:          None (the paper), or "group": blocks then equal the whole only nearly, statistics
                   depend on the extent
    """

    kind: Literal["unet"] = "unet"
    behaviour: ClassVar[str] = "lsd.network.trunks.unet:UNetTrunk"
    features: Positive = 12
    multiplier: Positive = 5
    factors: tuple[Shape, ...] = ((2, 2, 2), (2, 2, 2), (3, 3, 3))
    kernels: Kernels = ((3, 3, 3), (3, 3, 3))
    level_kernels: tuple[Kernels, ...] | None = None
    features_out: Positive | None = None
    activation: Literal["relu", "elu", "gelu"] = "relu"
    padding: Literal["valid", "same"] = "valid"
    context: Ints | None = None
    upsample: Literal["transposed", "nearest"] = "transposed"
    norm: Literal["group"] | None = None

    @model_validator(mode="after")
    def _levels_match(self) -> UNet:
        dims = {len(f) for f in self.factors} | {len(k) for k in self.kernels}
        if self.level_kernels is not None:
            dims |= {len(k) for level in self.level_kernels for k in level}
            if len(self.level_kernels) != len(self.factors) + 1:
                raise ValueError(
                    f"level_kernels names {len(self.level_kernels)} levels, factors give "
                    f"{len(self.factors) + 1}"
                )
        if len(dims) != 1 or not dims <= {2, 3}:
            raise ValueError(
                f"factors and kernels have {sorted(dims)} axes; all must have 2, or all 3"
            )
        if self.padding == "valid" and self.context is not None:
            raise ValueError(
                "context belongs to padding='same'; valid convolutions discard what they must, so "
                "leave it out"
            )
        _check_sizes(self.kernels + sum(self.level_kernels or (), ()), self.context, dims=self.dims)
        return self

    @property
    def dims(self) -> int:
        """2 or 3."""
        return len(self.kernels[0])


class ResidualUNet(Trunk):
    """The residual symmetric U-Net of Lee et al. 2017: residual modules, ELU, summed skips, same
    padding.

    widths:     maps of each level
    factors:    voxels an axis that become one from level to level, one fewer than widths
    fold:       voxels an axis that become channels before the first level and voxels again after
                the last, so that the network works on a coarser grid: (2, 2, 2) does about a
                quarter of the work and sees twice as far; None: none
    kernel:     of the residual modules
    first_kernel: of the first and last convolution and of the first level (flat for anisotropic
                voxels); None: `kernel`
    features_out: maps before the heads; None: the first of `widths`
    activation: between convolutions: "relu", "elu" or "gelu"
    context:    voxels a side discarded when it predicts; None: half its receptive field
    norm:       None, or "group": blocks then equal the whole only nearly
    """

    kind: Literal["residual"] = "residual"
    behaviour: ClassVar[str] = "lsd.network.trunks.residual:ResidualTrunk"
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (28, 36, 48, 64, 80)
    factors: tuple[Shape, ...] = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    kernel: Shape = (3, 3, 3)
    first_kernel: Shape | None = None
    fold: Shape | None = None
    features_out: Positive | None = None
    activation: Literal["relu", "elu", "gelu"] = "elu"
    context: Ints | None = None
    norm: Literal["group"] | None = None

    @model_validator(mode="after")
    def _levels_match(self) -> ResidualUNet:
        if len(self.widths) != len(self.factors) + 1:
            raise ValueError(
                f"{len(self.widths)} widths need {len(self.widths) - 1} factors, got "
                f"{len(self.factors)}"
            )
        shapes = (
            *self.factors,
            self.kernel,
            self.first_kernel or self.kernel,
            self.fold or self.kernel,
        )
        dims = {len(shape) for shape in shapes}
        if len(dims) != 1 or not dims <= {2, 3}:
            raise ValueError(
                f"factors, kernels and fold have {sorted(dims)} axes; all must have 2, or all 3"
            )
        _check_sizes((self.kernel, self.first_kernel or self.kernel), self.context, dims=self.dims)
        return self

    @property
    def dims(self) -> int:
        """2 or 3."""
        return len(self.kernel)


class Network(Spec):
    """A trunk, used by every stage, and the shape it is trained with.

    trunk:         the network before its heads
    train_shape:   voxels that enter a stage in training (earlier stages see what this needs)
    predict_shape: voxels that enter it in prediction; None: the largest that fits predict.memory
    """

    trunk: Trunk
    train_shape: Shape
    predict_shape: Shape | None = None

    @model_validator(mode="after")
    def _same_axes(self) -> Network:
        for field in ("train_shape", "predict_shape"):
            shape = getattr(self, field)
            if shape is not None and len(shape) != self.trunk.dims:
                raise ValueError(
                    f"{field} {shape} has {counted(len(shape), 'axis')}, the trunk "
                    f"{self.trunk.dims}; give one size an axis"
                )
        return self

    @property
    def dims(self) -> int:
        """2 or 3."""
        return self.trunk.dims
