"""From the losses of several heads to the gradient that is followed: the base of every kind of
weighting.

A weighting is two classes: a spec, which is plain data and names the kind (`lsd.spec.Weighting`),
and a torch module, made from the spec, that computes.  There are two ways to weigh:

- losses: write `forward`, the value that is minimised, of which losses it is a function.
  (`FixedSum`, `UncertaintySum`)
- gradients: derive from `GradientBalancer` and write `factors`.  (`ProjectConflicts`)
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
from lsd.losses.ranks import ALONE, Ranks
from lsd.losses.weighting import gradients

Factors = NDArray[np.float64]
Orders = Sequence[Sequence[int]]
Scale = Callable[[Tensor], Tensor]


class Balancer(nn.Module):
    """Weighs the losses of a stage's heads, which are its tasks.

    It may own parameters, which are trained like those of a loss (`lsd.losses.loss.HeadLoss`).

    weighs_gradients: it wants the gradient of each task by itself, so the graph of a batch is gone
                      through several times
    tasks:  names of the heads
    target: number of the head that the others are there to help
    """

    weighs_gradients: ClassVar[bool] = False

    def __init__(self, spec: spec.Weighting, tasks: Sequence[str], *, target: int = 0) -> None:
        super().__init__()
        # of the kind that this class belongs to, so its fields are known to it alone
        self.spec: Any = spec
        self.tasks, self.target = tuple(tasks), target

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is minimised and shown as the loss, a scalar; as it is here, the sum.

        losses: by head, scalars of the whole batch, each times the weight of the head.  Heads may
                be missing, such as those that a branch of ForkMerge does not learn
        """
        return torch.stack(list(losses.values())).sum()

    def backward(
        self,
        losses: Mapping[str, Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        scale: Scale,
        ranks: Ranks = ALONE,
    ) -> None:
        """Adds the gradient of a batch, or of a share of it, to `.grad` of the parameters.

        losses: as `forward` takes them, but of this share, with their graphs
        parameters: weights of the stage, what losses own, what the balancer owns; a head's loss
                depends on some of them only
        scale:  what a scalar is multiplied with before it is differentiated: the loss scale of
                fp16, and one over the number of batches that make a step
        ranks:  those who share the batch; sums of `.grad` over them are the gradient of the whole
        """
        values = ranks.sum([loss.detach() for loss in losses.values()])
        values = [value.requires_grad_() for value in values]
        own = [parameter for parameter in self.parameters() if parameter.requires_grad]
        value = scale(self(dict(zip(losses, values, strict=True))))
        slopes = torch.autograd.grad(value, [*values, *own], materialize_grads=True)
        torch.autograd.backward(list(losses.values()), grad_tensors=slopes[: len(values)])
        for parameter, slope in zip(own, slopes[len(values) :], strict=True):
            # it is of the whole batch already, and will be summed over the ranks
            gradients.add(parameter, slope / ranks.size)

    def finish(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        rng: np.random.Generator,
        ranks: Ranks = ALONE,
    ) -> None:
        """Does what is left to do after the last batch of a step, so that `.grad` is what is
        followed; as it is here, nothing.

        parameters, ranks: as in `backward`
        rng: for all that is random.  It follows from the seed and the iteration
        """

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

    @abstractmethod
    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """What the gradient of each task is multiplied with; see `Balancer.factors`."""

    def backward(
        self,
        losses: Mapping[str, Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        scale: Scale,
        ranks: Ranks = ALONE,
    ) -> None:
        """Notes the gradient of each task; `finish` puts their sum in place."""
        last = list(losses)[-1]
        for task, loss in losses.items():
            found = gradients.of(scale(loss), parameters, again=task != last)
            self._by_task[task] = gradients.added(self._by_task.get(task), found)

    def finish(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        rng: np.random.Generator,
        ranks: Ranks = ALONE,
    ) -> None:
        """Adds the gradients of the tasks of the step, each times its factor, to `.grad`."""
        by_task = [gradients.summed(gradient, ranks) for gradient in self._by_task.values()]
        places = [self.tasks.index(task) for task in self._by_task]
        self._by_task = {}
        factors = self._factors_of(places, gradients.products(by_task), rng)
        for parameter, gradient in zip(
            parameters, gradients.combined(by_task, factors), strict=True
        ):
            if gradient is not None:
                gradients.add(parameter, gradient)

    def _factors_of(
        self, places: Sequence[int], products: Factors, rng: np.random.Generator
    ) -> Factors:
        """Of the tasks at these places among all; the gradients of tasks that are missing are 0."""
        everything = np.zeros((len(self.tasks),) * 2)
        everything[np.ix_(places, places)] = products
        orders = random_orders(len(self.tasks), rng)
        return self.factors(everything, orders=orders)[list(places)]


def random_orders(tasks: int, rng: np.random.Generator) -> list[list[int]]:
    """For each task an order of the others."""
    return [
        [other for other in rng.permutation(tasks).tolist() if other != task]
        for task in range(tasks)
    ]
