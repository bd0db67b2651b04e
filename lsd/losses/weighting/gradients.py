"""The gradients of several tasks over the parameters of a network, a tensor a parameter; None where
a task does not reach a parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Gradient = list[Tensor | None]
# makes each tensor the sum over all processes that share a batch, in place
Sum = Callable[[Sequence[Tensor]], None]


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


def whole(
    by_task: Sequence[Gradient], parameters: Sequence[nn.Parameter], *, sum: Sum
) -> list[Gradient]:
    """Gradients of whole batches, from those of the share that this process has of them."""
    # a share may lack what a parameter is for; where all do, it has no gradient
    reached = torch.tensor([[part is not None for part in task] for task in by_task]).long()
    filled = [
        [
            torch.zeros_like(parameter) if part is None else part
            for part, parameter in zip(task, parameters, strict=True)
        ]
        for task in by_task
    ]
    sum([reached, *(part for task in filled for part in task)])
    return [
        [part if times else None for part, times in zip(task, counts, strict=True)]
        for task, counts in zip(filled, reached.tolist(), strict=True)
    ]


def products(by_task: Sequence[Gradient]) -> NDArray[np.float64]:
    """Dot products of the gradients of tasks, (tasks, tasks), over parameters that at least two
    reach."""
    tasks = len(by_task)
    sums: list[Tensor] = []
    for parts in zip(*by_task, strict=True):
        if sum(part is not None for part in parts) > 1:
            sums.append(_products(parts))
    if not sums:
        return np.zeros((tasks, tasks))
    # one copy from the device, not one a pair
    return torch.stack(sums).sum(0).cpu().numpy().astype(np.float64)


def combined(by_task: Sequence[Gradient], factors: Sequence[float]) -> Gradient:
    """Sum of the gradients of tasks, each times its factor, where at least two reach a parameter;
    elsewhere the gradient of the one that does."""
    return [_combined(parts, factors) for parts in zip(*by_task, strict=True)]


def like(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
    """The gradient, laid out in memory as the parameter is: fused optimisers rely on that."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _products(parts: Sequence[Tensor | None]) -> Tensor:
    """Of one parameter, (tasks, tasks)."""
    some = next(part for part in parts if part is not None)
    # fp32 loses digits over millions of terms; there is no float64 on Apple's GPUs
    exact = torch.float32 if some.device.type == "mps" else torch.float64
    table = torch.zeros((len(parts),) * 2, dtype=exact, device=some.device)
    for one, first in enumerate(parts):
        for other, second in enumerate(parts[: one + 1]):
            if first is not None and second is not None:
                table[one, other] = table[other, one] = (first * second).sum(dtype=exact)
    return table


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
