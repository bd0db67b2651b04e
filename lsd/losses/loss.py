"""What a loss sees, and what it says: the base of every kind of loss.

A loss is two classes: a spec, which is plain data and names the kind, and a torch module, made from
the spec, that computes.  Both may stand in a module of your own that the config names (`imports`):

    from typing import ClassVar, Literal
    from torch.nn.functional import huber_loss
    from lsd import spec
    from lsd.losses.loss import HeadLoss

    class Huber(spec.Loss):
        kind: Literal["huber"] = "huber"
        behaviour: ClassVar[str] = "my_losses:HuberLoss"
        delta: float = 0.2

    class HuberLoss(HeadLoss):
        def totals(self, sample):
            return {"known": (sample.own_weights > 0).sum()}

        def forward(self, sample, totals):
            known = sample.own_weights > 0
            values, target = sample.own_values[known], sample.own_target[known]
            errors = huber_loss(values, target, reduction="sum", delta=self.spec.delta)
            return errors / totals["known"].clamp(min=1)

A head takes it as `Head(target=..., loss=Huber(delta=0.1, weight=2))`.  `weight` is not its own
concern: what becomes of the losses of several heads is said by a balancer
(`lsd.losses.weighting.balancer`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from lsd import spec
from lsd.arrays.offsets import Offset
from lsd.targets.activation import Readout
from lsd.targets.target import TargetKind

Totals = Mapping[str, Tensor]


@dataclass(frozen=True)
class LossSample:
    """A batch, or the share of it that one process has, as the losses of a stage see it.

    Tensors are on one device; spatial axes are z y x, or y x where the network is 2D.

    logits:     what the network says, by head, float (b, c, *spatial); they carry the graph
    targets:    what the values of the heads should be, by head, float32 of the shapes of the
                values: of most heads that of the logits
    weights:    how much each voxel of a channel counts, by head, float32 of the shapes of targets
                or broadcast to them; 0 where the target is not known.  What logits and targets hold
                there may be anything, NaN included
    labels:     int64 (b, 1, *spatial), as the targets were computed from them; 0 is background or
                unknown.  Ids are bit patterns of uint64: those above 2**63 - 1 are negative
    known:      bool (b, 1, *spatial), where the label is known
    voxel_size: nm, one for each spatial axis
    activations: what makes values of logits, by head; it belongs to the head's target
    neighborhoods: offsets of the channels in voxels, of heads that learn affinities, by head
    head:       the head whose loss is asked for
    share:      fraction of the samples of the whole batch that this is; 1: all of it
    """

    logits: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]
    labels: Tensor
    known: Tensor
    voxel_size: tuple[float, ...]
    activations: Mapping[str, Readout]
    neighborhoods: Mapping[str, tuple[Offset, ...]] = field(default_factory=dict)
    head: str = ""
    share: float = 1.0

    def of(self, head: str) -> LossSample:
        """The same batch, seen by the loss of this head."""
        return replace(self, head=head)

    @property
    def own_logits(self) -> Tensor:
        """Logits of the head whose loss is asked for."""
        return self.logits[self.head]

    @property
    def own_values(self) -> Tensor:
        """Values that the head whose loss is asked for predicts, fp32, with their graph."""
        return self.activations[self.head](self.own_logits.float())

    @property
    def own_target(self) -> Tensor:
        """Target of the head whose loss is asked for."""
        return self.targets[self.head]

    @property
    def own_neighborhood(self) -> tuple[Offset, ...]:
        """Offsets of the channels of the head whose loss is asked for, which learns affinities."""
        return self.neighborhoods[self.head]

    @property
    def own_weights(self) -> Tensor:
        """Weights of the head whose loss is asked for."""
        return self.weights[self.head]


class HeadLoss(nn.Module):
    """The loss of one head: a torch module, made from its spec (`self.spec`).

    It may own parameters (`nn.Parameter`), such as a margin.  The optimiser changes them together
    with the network's weights, without weight decay; they are part of the norm that train.clip
    bounds, of the moving average (train.ema) and of checkpoints.
    """

    def __init__(self, spec: spec.Loss) -> None:
        super().__init__()
        # of the kind that this class belongs to, so its fields are known to it alone
        self.spec: Any = spec

    def misfit(self, target: TargetKind[Any]) -> str:
        """Why a head that learns this target cannot have this loss, with the way out, for an error;
        "": it can."""
        return ""

    def miscount(self, channels: int) -> str:
        """Why it cannot be the loss of a target of so many channels, with the way out; "": it
        can."""
        return ""

    def remarks(self, target: TargetKind[Any]) -> list[str]:
        """What is strange, but not wrong, about learning this target by it."""
        return []

    def totals(self, sample: LossSample) -> Totals:
        """Sums over a sample that `forward` needs of the whole batch: how many voxels count, how
        many are positive.  Tensors of any shapes, without gradient; {}: it needs none.

        Where several processes share a batch, each sums over its own share and the sums are added
        up, so that everything that averages or balances does so over the whole batch.
        """
        return {}

    @abstractmethod
    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """The loss of `sample.head`, a scalar in fp32 with its graph; of a sample in which nothing
        counts, a 0 without one will do.

        totals: what `totals` gives, of the whole batch.  Divide by these and not by what the sample
                holds: then the losses of all shares add up to the loss of the batch.  What follows
                from no voxel, such as a penalty on parameters, counts `sample.share` times.
        """
