"""From the losses of several heads to the gradient that is followed: the base of every kind of
weighting.

A weighting is two classes: a spec, which is plain data and names the kind (`lsd.spec.Weighting`),
and a torch module, made from the spec, that computes.  There are two ways to weigh:

- losses: write `forward`, the value that is minimised (as `UncertaintySum` does)
- gradients: derive from `GradientBalancer` and write `factors` (as `ProjectConflicts` does)

Several processes may share a batch.  The losses are then those of the whole batch, the same in
each, but their gradients are of the share that a process has: they have to be added up over the
processes before anything is computed from them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsd import spec
from lsd.losses.weighting import gradients
from lsd.losses.weighting.gradients import Sum

Factors = NDArray[np.float64]
Orders = Sequence[Sequence[int]]
Scale = Callable[[Tensor], Tensor]


class Balancer(nn.Module):
    """Weighs the losses of a stage's heads, which are its tasks.

    It may own parameters, which are trained like those of a loss (`lsd.losses.loss.HeadLoss`).

    spec:   of the kind that this class belongs to
    tasks:  names of the heads
    target: number of the head that the others are there to help
    weighs_gradients: the graph of a batch is gone through once a task
    """

    weighs_gradients: ClassVar[bool] = False

    def __init__(self, spec: spec.Weighting, tasks: Sequence[str], *, target: int = 0) -> None:
        super().__init__()
        # its fields are known to this class alone
        self.spec: Any = spec
        self.tasks, self.target = tuple(tasks), target

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is minimised and shown as the loss, a scalar; as it is here, the sum.

        losses: by head, scalars with their graphs, each times the weight of the head.  Heads may be
                missing, such as those that a branch of ForkMerge does not learn
        """
        return torch.stack(list(losses.values())).sum()

    def backward(
        self,
        value: Tensor,
        losses: Mapping[str, Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        scale: Scale,
    ) -> None:
        """Adds the gradient of a batch to `.grad` of the parameters, or notes it for `complete`.

        value:  what `forward` gave for these losses
        parameters: weights of the stage, what losses own, what the balancer owns; a head's loss
                depends on some of them only
        scale:  what a scalar is multiplied with before it is differentiated: the loss scale of
                fp16, and one over the number of batches that make a step
        """
        scale(value).backward()  # type: ignore[no-untyped-call]

    def complete(
        self, parameters: Sequence[nn.Parameter], *, sum: Sum, rng: np.random.Generator
    ) -> None:
        """After the last batch of a step: makes `.grad` of the parameters what is followed, of
        whole batches.

        What the balancer owns has that already, since it sees the losses of whole batches.
        sum: each process calls it as often, with tensors of the same shapes; in a run of one
             process it changes nothing
        rng: for all that is random.  It follows from the seed and the iteration
        """
        own = {id(parameter) for parameter in self.parameters()}
        shared = [parameter for parameter in parameters if id(parameter) not in own]
        [whole] = gradients.whole([[parameter.grad for parameter in shared]], shared, sum=sum)
        for parameter, gradient in zip(shared, whole, strict=True):
            parameter.grad = gradient

    def curves(self) -> dict[str, float]:
        """What tensorboard shows of the last step; nothing unless a kind says so."""
        return {}

    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """What the gradient of each task is multiplied with before they are added up, (tasks,).

        products: float64 (tasks, tasks), the dot products of the gradients, by parameters that
                  several tasks share
        orders:   for each task the order in which it visits the others
        Raises ValueError where gradients alone do not say it, as it is here.
        """
        raise ValueError(
            f"weighting {self.spec.kind!r} weighs losses, so gradients alone do not say their sum; "
            "take a kind that weighs gradients, such as pcgrad"
        )


class GradientBalancer(Balancer):
    """Base of those that weigh the gradients of tasks: these write `factors`.

    Only what several tasks share is weighed.  Parameters that one task alone reaches, such as the
    last layer of a head, follow its gradient.  Of several batches that make a step, the gradients
    of a task are added up first, so factors are found once a step.
    """

    weighs_gradients = True

    def __init__(self, spec: spec.Weighting, tasks: Sequence[str], *, target: int = 0) -> None:
        super().__init__(spec, tasks, target=target)
        self._by_task: dict[str, gradients.Gradient] = {}
        self._factors: dict[str, float] = {}

    @abstractmethod
    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """What the gradient of each task is multiplied with; see `Balancer.factors`."""

    def backward(
        self,
        value: Tensor,
        losses: Mapping[str, Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        scale: Scale,
    ) -> None:
        """Notes the gradient of each task."""
        *_, last = losses
        for task, loss in losses.items():
            gradient = gradients.of(scale(loss), parameters, again=task != last)
            self._by_task[task] = gradients.added(self._by_task.get(task), gradient)

    def complete(
        self, parameters: Sequence[nn.Parameter], *, sum: Sum, rng: np.random.Generator
    ) -> None:
        """Makes `.grad` the sum of the gradients of the tasks, each times its factor."""
        by_task = gradients.whole(list(self._by_task.values()), parameters, sum=sum)
        places = [self.tasks.index(task) for task in self._by_task]
        factors = self._factors_of(places, gradients.products(by_task), rng).tolist()
        self._factors = dict(zip(self._by_task, factors, strict=True))
        self._by_task = {}
        combined = gradients.combined(by_task, factors)
        for parameter, gradient in zip(parameters, combined, strict=True):
            parameter.grad = None if gradient is None else gradients.like(parameter, gradient)

    def curves(self) -> dict[str, float]:
        """The factor of each task."""
        return {f"factor/{task}": factor for task, factor in self._factors.items()}

    def _factors_of(
        self, places: Sequence[int], products: Factors, rng: np.random.Generator
    ) -> Factors:
        """Of the tasks at these places among all; gradients of those that are missing are 0."""
        everything = np.zeros((len(self.tasks),) * 2)
        everything[np.ix_(places, places)] = products
        orders = random_orders(len(self.tasks), rng)
        return factors_of(self, everything, orders=orders)[list(places)]


def factors_of(balancer: Balancer, products: Factors, *, orders: Orders) -> Factors:
    """`Balancer.factors`, also of gradients that are not finite, which fp16 gives now and then.

    What comes of these is not finite either, so the step is left out.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return balancer.factors(products, orders=orders)


def random_orders(tasks: int, rng: np.random.Generator) -> list[list[int]]:
    """For each task an order of the others."""
    return [
        [other for other in rng.permutation(tasks).tolist() if other != task]
        for task in range(tasks)
    ]
