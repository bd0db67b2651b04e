"""Weights of a network in one that differs in part: what matches is loaded, what does not is
named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lsd.spec.plurals import some

# layers that a message names
_NAMED = 5


@dataclass(frozen=True)
class Matched:
    """What became of weights that fit a network in part: names of layers, in its order.  A head is
    `head boundary`."""

    loaded: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        if not self.fresh and not self.unused:
            return f"all {len(self.loaded)} layers"
        fresh = f"; new, so they start fresh: {some(self.fresh, _NAMED)}" if self.fresh else ""
        unused = f"; not used: {some(self.unused, _NAMED)}" if self.unused else ""
        return f"{len(self.loaded)} of {len(self.loaded) + len(self.fresh)} layers{fresh}{unused}"


def load_matching(module: nn.Module, state: Mapping[str, Tensor], *, where: str) -> Matched:
    """Copies into module the layers of state that are there under the same name and with the same
    shapes.

    A layer is loaded whole or not at all.  Raises ValueError where none matches.
    """
    own, stored = _layers(module.state_dict()), _layers(state)
    loaded = [name for name in own if _shapes(own[name]) == _shapes(stored.get(name, {}))]
    if not loaded:
        raise ValueError(
            f"no layer in {where} fits the network, {_differing(own, stored)}; use a "
            f"checkpoint of the same network"
        )
    module.load_state_dict(
        {key: value for name in loaded for key, value in stored[name].items()}, strict=False
    )
    fresh, unused = ([name for name in layers if name not in loaded] for layers in (own, stored))
    return Matched(
        tuple(map(_called, loaded)), tuple(map(_called, fresh)), tuple(map(_called, unused))
    )


def _layers(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """{layer: {key: its tensor}}: weight and bias belong together."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        layers.setdefault(key.rpartition(".")[0], {})[key] = value
    return layers


def _shapes(layer: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in layer.items()}


def _called(layer: str) -> str:
    return layer.replace("heads.head_", "head ", 1) if layer.startswith("heads.head_") else layer


def _differing(
    network: Mapping[str, dict[str, Tensor]], stored: Mapping[str, dict[str, Tensor]]
) -> str:
    """The first layer that both have, with its shapes, or that there is none."""
    both = next((name for name in network if name in stored), None)
    if both is None:
        return "which has other layers"
    theirs, ours = (next(iter(_shapes(layers[both]).values())) for layers in (stored, network))
    return f"e.g. {_called(both)} has shape {theirs} there, the network {ours}"
