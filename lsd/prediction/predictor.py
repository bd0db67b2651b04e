"""A trained cascade, loaded once, that predicts one block at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from funlib.geometry import Roi
from torch import Tensor

from lsd.network.cascade import Cascade
from lsd.network.precision import autocast, choose
from lsd.network.threads import computing_with
from lsd.prediction.augment import average
from lsd.prediction.plan import Plan, plan
from lsd.spec import Network, Predict
from lsd.spec.blame import is_out_of_memory
from lsd.targets.storage import TOP, Storage
from lsd.targets.target import TargetKind, target_kind

Array = npt.NDArray[Any]
DType = Literal["uint8", "float32"]


class Predictor:
    """raw -> heads, block by block.

    cascade:  is put on the device, and in eval mode while a block is predicted; afterwards every
              part of it is in the mode it was in, so training may predict with what it trains
    network:  gives predict_shape
    settings: heads, precision, memory layout, device, threads, augmentation, size of blocks
    """

    def __init__(
        self, cascade: Cascade, network: Network, *, settings: Predict | None = None
    ) -> None:
        self.settings = settings or Predict()
        self.network, self.variant = network, cascade.variant
        self.heads = self.settings.heads or tuple(self.variant.stages[-1].heads)
        self.targets = {name: self._target(name) for name in self.heads}
        self.channels = {
            name: target.channels(network.dims) for name, target in self.targets.items()
        }
        self.device = choose_device(self.settings.device)
        self.cascade = cascade.to(self.device)
        if self.settings.channels_last:
            layout = torch.channels_last_3d if network.dims == 3 else torch.channels_last
            cast(Any, self.cascade).to(memory_format=layout)
        self._run: Any = torch.compile(self.cascade) if self.settings.compile else self.cascade

    def plan(self, roi: Roi, *, voxel_size: Sequence[float]) -> Plan:
        """The blocks of `roi` (world voxels) in a volume with voxels of `voxel_size` nm."""
        return plan(
            self.network,
            self.variant,
            roi=roi,
            settings=self.settings,
            voxel_size=voxel_size,
            heads=self.heads,
        )

    def block(
        self,
        raw: npt.NDArray[np.float32],
        plan: Plan,
        *,
        dtype: Literal["uint8", "float32"] = "float32",
    ) -> dict[str, Array]:
        """Heads (c, *compute) of a block's raw (*read) in -1..1: values, most in 0..1, or as uint8
        holds them, 0..255.

        Raises MemoryError, saying what to change, where the device runs out of memory, ValueError
        where the network says NaN, or an activation leaves the range of its target, of which uint8
        would make some number.
        """
        dims = self.network.dims
        batch = torch.from_numpy(raw).reshape(-1, 1, *raw.shape[raw.ndim - dims :])
        with self._running(), _out_of_memory(raw.shape):
            heads = average(
                self._forward,
                batch.to(self.device),
                targets=self.targets,
                turns=plan.turns,
                kept=plan.kept,
                lowest=self.settings.opinions == "lowest",
            )
            self._check_numbers(heads)
            return {
                name: _to_array(
                    head, dtype, storage=self.targets[name].storage, sections=raw.ndim > dims
                )
                for name, head in heads.items()
            }

    def nothing(self, shape: Sequence[int], *, dtype: DType = "float32") -> dict[str, Array]:
        """Heads (c, *shape) that say nowhere anything: the lowest of their values."""
        lowest = {name: target.storage.low for name, target in self.targets.items()}
        return {
            name: np.full((channels, *shape), 0 if dtype == "uint8" else lowest[name], dtype)
            for name, channels in self.channels.items()
        }

    def _target(self, name: str) -> TargetKind[Any]:
        heads = self.variant.heads()
        if name not in heads:
            raise ValueError(f"no head {name!r} to predict; the checkpoint has: {', '.join(heads)}")
        return target_kind(heads[name].target)

    def _forward(self, raw: Tensor) -> Mapping[str, Tensor]:
        with autocast(self.settings.precision, self.device):
            logits = self._run(raw, heads=self.heads)
        return {
            name: target.activation.in_place(logits[name].float())
            for name, target in self.targets.items()
        }

    def _check_numbers(self, heads: Mapping[str, Tensor]) -> None:
        for name, head in heads.items():
            low, high = (end.item() for end in head.aminmax())
            if math.isnan(low):
                raise ValueError(self._not_a_number(name, head))
            storage = self.targets[name].storage
            # what rounds to the first or the last step is held
            hair = (storage.high - storage.low) / (2 * TOP)
            if not storage.low - hair < low <= high < storage.high + hair:
                raise ValueError(
                    f"head {name!r} predicts {low:.4g}..{high:.4g}, and its target holds "
                    f"{storage.low:g}..{storage.high:g}, of which uint8 is made; give the target "
                    f"an activation that stays within its low and high"
                )

    def _not_a_number(self, name: str, head: Tensor) -> str:
        precision = choose(self.settings.precision, self.device.type)
        why = (
            "numbers beyond 65504 become infinite in fp16; compute in bf16 or fp32 "
            "(predict.precision, of a validation train.precision)"
            if precision == "fp16"
            else "the network or its weights are not in order; take an earlier checkpoint"
        )
        return (
            f"head {name!r} is NaN at {int(head.isnan().sum())} places of a block, computed in "
            f"{precision}: {why}"
        )

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        training = [module for module in self.cascade.modules() if module.training]
        self.cascade.eval()
        try:
            with computing_with(self.settings.threads), torch.inference_mode():
                yield
        finally:
            # one by one: a frozen stage of a cascade in training stays in eval mode
            for module in training:
                module.training = True


def choose_device(name: str) -> torch.device:
    """The device that spec.Predict.device means: "auto" is cuda, else mps, else cpu.  Raises
    ValueError if it is not there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, usable in available.items() if usable))
    if not available[name.partition(":")[0]]:
        usable = ", ".join(kind for kind, is_usable in available.items() if is_usable)
        raise ValueError(
            f"device {name!r} is not available; this machine and torch {torch.__version__} have: "
            f"{usable}"
        )
    return torch.device(name)


def _to_array(head: Tensor, dtype: str, *, storage: Storage, sections: bool) -> Array:
    """Values (b, c, *spatial) -> (c, *spatial) on the host; with `sections`, b becomes z."""
    # rounded where it was computed, so that a quarter of the bytes leave the device
    values = storage.to_uint8(head) if dtype == "uint8" else head
    values = values.transpose(0, 1) if sections else values[0]
    return np.ascontiguousarray(values.cpu().numpy())


@contextlib.contextmanager
def _out_of_memory(shape: Sequence[int]) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(
            f"no memory left for a block of raw {'x'.join(map(str, shape))}; lower predict.memory "
            f"(or predict.shape, "
            "where that or network.predict_shape sets the block), or use predict.precision=bf16"
        ) from error
