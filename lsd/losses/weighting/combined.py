"""The gradients of several tasks as one, for loops of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lsd.arrays.ids import native
from lsd.losses.weighting.balancer import Balancer, Orders, factors_of, random_orders
from lsd.spec import Weighting
from lsd.spec.kinds import behaviour
from lsd.spec.mistakes import did_you_mean


@overload
def combine(
    gradients: Tensor | Sequence[Tensor],
    *,
    kind: str,
    target: int = 0,
    orders: Orders | None = None,
) -> Tensor: ...


@overload
def combine(
    gradients: ArrayLike, *, kind: str, target: int = 0, orders: Orders | None = None
) -> NDArray[Any]: ...


def combine(
    gradients: Tensor | Sequence[Tensor] | ArrayLike,
    *,
    kind: str,
    target: int = 0,
    orders: Orders | None = None,
) -> Tensor | NDArray[Any]:
    """What is followed, (parameters,), from the gradients of tasks, (tasks, parameters).

    gradients: a torch tensor or a list of them, one a task, which give a tensor on their device;
            or what numpy takes for an array
    kind:   "fixed": their sum; "pcgrad": gradient i loses what points against gradient j, for each
            i over j in its order; "project_auxiliary": as pcgrad, but only of the auxiliary tasks,
            and only against the target; "cosine_gate": auxiliary gradients times max(0, cosine with
            the target); or the name of a kind of one's own
    target: number of the task that the others are there to help
    orders: for each task the order in which it visits the others, numbers of tasks; None: random

    The result is of the dtype of the gradients, float64 where they are whole numbers.
    Raises ValueError where shapes, numbers or the kind do not fit.
    Source: Yu et al. 2020 (pcgrad), Du et al. 2018 (cosine_gate).
    """
    tensors = _tensors(gradients)
    if tensors is None:
        return _combined(torch.tensor(native(np.asarray(gradients))), kind, target, orders).numpy()
    return _combined(tensors.detach(), kind, target, orders)


def _tensors(gradients: Any) -> Tensor | None:
    """The gradients as one tensor, None where they are not of torch."""
    if isinstance(gradients, Tensor):
        return gradients
    several = list(gradients) if isinstance(gradients, list | tuple) else []
    if not several or not all(isinstance(each, Tensor) for each in several):
        return None
    if len({(each.shape, each.dtype, each.device) for each in several}) > 1:
        shapes = ", ".join(f"{tuple(each.shape)} {each.dtype}" for each in several)
        raise ValueError(
            f"gradients of tasks are of one shape, dtype and device, got {shapes}; give one row a "
            f"task, all parameters in the same order"
        )
    return torch.stack(several)


def _combined(gradients: Tensor, kind: str, target: int, orders: Orders | None) -> Tensor:
    _check(gradients, target)
    tasks = len(gradients)
    balancer: Balancer = behaviour(_spec(kind), [str(task) for task in range(tasks)], target=target)
    orders = _checked(orders, tasks) if orders else random_orders(tasks, np.random.default_rng())
    # there is no float64 on Apple's GPUs
    exact = gradients.to(torch.float32 if gradients.device.type == "mps" else torch.float64)
    products = (exact @ exact.T).cpu().numpy().astype(np.float64)
    factors = torch.from_numpy(factors_of(balancer, products, orders=orders)).to(exact)
    whole = factors @ exact
    return whole.to(gradients.dtype) if gradients.is_floating_point() else whole


def _spec(kind: str) -> Weighting:
    kinds = Weighting.kinds()
    if kind not in kinds:
        raise ValueError(
            f"weighting {kind!r} is unknown; allowed: {', '.join(kinds)}{did_you_mean(kind, kinds)}"
        )
    return Weighting(kind=kind)


def _check(gradients: Tensor, target: int) -> None:
    if gradients.ndim != 2 or not len(gradients):
        raise ValueError(
            f"gradients are of shape (tasks, parameters), got {tuple(gradients.shape)}; stack one "
            "row a task"
        )
    if not 0 <= target < len(gradients):
        raise ValueError(f"target is one of the tasks 0..{len(gradients) - 1}, got {target}")


def _checked(orders: Orders, tasks: int) -> Orders:
    for task, order in enumerate(orders):
        others = [other for other in range(tasks) if other != task]
        if sorted(order) != others:
            raise ValueError(
                f"orders: that of task {task} names each of {others} once, got {list(order)}"
            )
    if len(orders) != tasks:
        raise ValueError(f"orders: give one a task, of which there are {tasks}, got {len(orders)}")
    return orders
