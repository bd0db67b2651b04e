"""What a module costs, measured on torch's meta device, where arrays have shapes and no values."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lsd.network.walk import Walk

_BYTES = 4


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """The module that `build` gives, without values, in eval mode."""
    with torch.device("meta"):
        return build().to("meta").eval()


def measured(module: nn.Module, walk: Walk) -> None:
    """Takes `walk` through a module of the meta device: its operations, parameters and memory."""
    entering = torch.empty(1, walk.channels, *walk.shape, device="meta")
    alive = _Alive((entering, *module.parameters(), *module.buffers()), copies=walk.copies)
    with torch.no_grad(), FlopCounterMode(display=False) as counter, alive:
        leaving = module(entering)
    walk.macs += counter.get_total_flops() // 2
    walk.parameters += sum(parameter.numel() for parameter in module.parameters())
    walk.keep_alive(entering.numel() + -(-alive.peak // _BYTES))
    walk.channels, walk.shape = leaving.shape[1], tuple(leaving.shape[2:])


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the arrays that operations make, for as long as anything holds them.

    known:  arrays that are not counted; copies: see `lsd.network.walk.COPIES`
    """

    def __init__(self, known: Sequence[Tensor], *, copies: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._copies = copies
        self._counted = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        new_bytes = sum(self._count(tensor) for tensor in _tensors(result))
        is_transposed = func is torch.ops.aten.convolution.default and args[6]
        copied = round((self._copies - 1) * new_bytes) if is_transposed else 0
        self.peak = max(self.peak, self._now + copied)
        return result

    def _count(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        if storage._cdata in self._counted:
            return 0
        self._counted.add(storage._cdata)
        self._now += storage.nbytes()
        weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())
        return storage.nbytes()

    def _freed(self, address: int, nbytes: int) -> None:
        self._counted.discard(address)
        self._now -= nbytes


def _tensors(result: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
