"""The gradients of several tasks over the parameters of a network, a tensor a parameter; None where
a task does not reach a parameter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsd.losses.ranks import Ranks

Gradient = list[Tensor | None]


def of(loss: Tensor, parameters: Sequence[nn.Parameter], *, again: bool) -> Gradient:
    """The gradient of a scalar; again: its graph is gone through once more afterwards."""
    return list(torch.autograd.grad(loss, parameters, retain_graph=again, allow_unused=True))


def added(before: Gradient | None, gradient: Gradient) -> Gradient:
    """Sum of a task's gradients of two batches; before: None where there is none yet."""
    if before is None:
        return gradient
    # not in place: what autograd gives may be one tensor for several parameters
    return [
        new if old is None else old if new is None else old + new
        for old, new in zip(before, gradient, strict=True)
    ]


def summed(gradient: Gradient, ranks: Ranks) -> Gradient:
    """Sum of a task's gradient over all who share the batch."""
    there = [part for part in gradient if part is not None]
    whole = iter(ranks.sum(there))
    return [None if part is None else next(whole) for part in gradient]


def products(by_task: Sequence[Gradient]) -> NDArray[np.float64]:
    """Dot products of the gradients of tasks, (tasks, tasks), over parameters that at least two
    reach."""
    tasks = len(by_task)
    found: list[list[Tensor]] = [[] for _ in range(tasks * tasks)]
    for parts in zip(*by_task, strict=True):
        reached = [task for task in range(tasks) if parts[task] is not None]
        if len(reached) < 2:
            continue
        for one in reached:
            for other in (task for task in reached if task >= one):
                found[one * tasks + other].append(_dot(parts[one], parts[other]))
    nothing = torch.zeros(())
    # one copy from the device, not one a pair
    sums = torch.stack([torch.stack(dots).sum() if dots else nothing for dots in _alike(found)])
    upper = sums.cpu().numpy().astype(np.float64).reshape(tasks, tasks)
    return upper + np.triu(upper, 1).T


def combined(by_task: Sequence[Gradient], factors: Sequence[float]) -> Gradient:
    """Sum of the gradients of tasks, each times its factor, where at least two reach a parameter;
    elsewhere the gradient of the one that does."""
    return [_combined(parts, factors) for parts in zip(*by_task, strict=True)]


@torch.no_grad()
def add(parameter: nn.Parameter, gradient: Tensor) -> None:
    """Adds to `.grad`, which is laid out in memory as the parameter is: fused optimisers rely on
    that."""
    if parameter.grad is not None:
        parameter.grad.add_(gradient)
    elif gradient.stride() == parameter.stride():
        parameter.grad = gradient
    else:
        parameter.grad = torch.empty_like(parameter).copy_(gradient)


def _dot(one: Tensor | None, other: Tensor | None) -> Tensor:
    assert one is not None
    assert other is not None
    # fp32 loses digits over millions of terms; there is no float64 on Apple's GPUs
    exact = torch.float32 if one.device.type == "mps" else torch.float64
    return (one * other).sum(dtype=exact)


def _alike(found: list[list[Tensor]]) -> list[list[Tensor]]:
    """Empty lists are of zeros where the others are."""
    some = next((dots[0] for dots in found if dots), None)
    return found if some is None else [dots or [torch.zeros_like(some)] for dots in found]


def _combined(parts: Sequence[Tensor | None], factors: Sequence[float]) -> Tensor | None:
    reaching = [
        (part, factor) for part, factor in zip(parts, factors, strict=True) if part is not None
    ]
    if len(reaching) < 2:
        return reaching[0][0].clone() if reaching else None
    (first, factor), *others = reaching
    # also where a factor is 0: what is not finite must show, so that the step is left out
    total = first * factor
    for part, factor in others:
        total.add_(part, alpha=factor)
    return total
