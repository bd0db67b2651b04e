"""What a kind of trunk offers to the rest of the program, and how to write one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from funlib.geometry import Coordinate

from lsd.network.levels import Extent, Levels
from lsd.network.walk import Walk
from lsd.spec import Trunk
from lsd.spec.kinds import answer_for, behaviour

if TYPE_CHECKING:
    from torch import nn

TrunkSpec = TypeVar("TrunkSpec", bound=Trunk)


class Architecture(ABC, Generic[TrunkSpec]):
    """What a kind of trunk is: its module, its sizes and its cost.  Made from a spec.

    A kind gives `module`, and either `levels` or `extent`.  All else has a default: `features_out`,
    and what `walk` counts, are measured on torch's meta device, where nothing is computed.  A stack
    of valid convolutions, in a module of one's own that the config names with imports=:

        class Plain(Trunk):
            kind: Literal["plain"] = "plain"
            behaviour: ClassVar[str] = "my_trunks:PlainTrunk"
            depth: Positive = 3

            @property
            def dims(self) -> int:
                return 3

        class PlainTrunk(Architecture[Plain]):
            def module(self, in_channels: int) -> nn.Module:
                widths = [in_channels, *[12] * self.spec.depth]
                return nn.Sequential(
                    *(nn.Sequential(nn.Conv3d(a, b, 3), nn.ReLU()) for a, b in pairwise(widths))
                )

            @property
            def levels(self) -> Levels:
                return Levels(kernels=(((3, 3, 3),) * self.spec.depth,))

    Sizes are asked by processes that have no need of torch, and before anything is computed.  So
    the kinds of this package import torch only where they build a module.
    """

    def __init__(self, spec: TrunkSpec) -> None:
        self.spec = spec

    @abstractmethod
    def module(self, in_channels: int) -> nn.Module:
        """The layers: (b, in_channels, *input) -> (b, features_out, *output).

        The output lies in the centre of the input, and has `extent(training=True).shrink` voxels
        fewer, in eval mode as well: what is discarded in prediction beyond that is cropped for it.
        The names of its layers are those of the weights in checkpoints, so they are to stay.
        """

    @property
    def levels(self) -> Levels:
        """Its convolutions and poolings, from which `extent` follows."""
        raise TypeError(
            f"trunk {self.spec.kind!r} does not say what becomes of an extent: give its class "
            f"levels, or extent"
        )

    def extent(self, *, training: bool = False) -> Extent:
        """Which inputs are legal, and how much smaller the output is, voxels an axis.

        training: as in training, where a same-padded trunk keeps its extent; in prediction it
                  discards `discarded` voxels a side
        """
        return self._extents[training]

    @property
    def discarded(self) -> Coordinate:
        """Voxels a side that a same-padded trunk discards in prediction: the `context` of its
        spec, by default all that padding reaches."""
        context = self.spec.context
        return Coordinate(context) if context is not None else self.levels.receptive_field()

    @property
    def features_out(self) -> int:
        """Channels that the heads read."""
        return self._features_measured

    def walk(self, walk: Walk) -> None:
        """Takes `walk`, which holds what enters, through the trunk: what the module multiplies, its
        parameters, and how many values are alive at once.  Raises ValueError where the module
        gives another shape than `extent` says.
        """
        from lsd.network.measured_cost import measured

        entering = walk.shape
        measured(self._on_meta(walk.channels), walk)
        expected = tuple(Coordinate(entering) - self.extent(training=True).shrink)
        if walk.shape != expected:
            raise ValueError(
                f"trunk {self.spec.kind!r} gives {walk.shape} for an input of {entering}, where "
                f"its sizes say {expected}; correct its levels, or its module"
            )

    def check_bf16(self, shape: Sequence[int]) -> None:
        """ValueError where training in bf16 on a processor would be wrong for inputs of `shape`;
        by default no such case is known."""

    @cached_property
    def _extents(self) -> dict[bool, Extent]:
        levels = self.levels
        return {
            training: levels.extent(self.discarded if levels.padded and not training else None)
            for training in (False, True)
        }

    @cached_property
    def _features_measured(self) -> int:
        walk = Walk(1, self.extent(training=True).smallest_input((1,) * self.spec.dims))
        Architecture.walk(self, walk)
        return walk.channels

    def _on_meta(self, in_channels: int) -> nn.Module:
        if in_channels not in self._modules:
            from lsd.network.measured_cost import on_meta

            module = on_meta(lambda: self.module(in_channels))
            self._modules[in_channels] = answer_for(module, self.spec, names=("forward",))
        return self._modules[in_channels]

    @cached_property
    def _modules(self) -> dict[int, nn.Module]:
        return {}


@lru_cache(maxsize=256)
def architecture(trunk: Trunk) -> Architecture[Any]:
    """What a trunk is, by its spec.  Raises ValueError where its class cannot be imported."""
    assert isinstance(trunk, Trunk), trunk
    made: Architecture[Any] = behaviour(trunk)
    return made
