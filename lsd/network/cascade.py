"""The stages of a variant as one module: raw -> {head: logits}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lsd.network import sizes
from lsd.network.cost import read_channels
from lsd.network.layers import crop
from lsd.network.logits import heads
from lsd.network.trunks.trunk import architecture
from lsd.spec import Stage, Trunk, Variant
from lsd.spec.kinds import answer_for
from lsd.targets.target import TargetKind, target_kind


class StageNetwork(nn.Module):
    """A trunk and its heads: (b, c, *input) -> {head: (b, logit channels of its target,
    *output)}, logits."""

    def __init__(self, stage: Stage, trunk: Trunk, *, in_channels: int) -> None:
        super().__init__()
        kind = architecture(trunk)
        self.trunk = answer_for(kind.module(in_channels), trunk, names=("forward",))
        outs = {
            name: target_kind(head.target).logit_channels(trunk.dims)
            for name, head in stage.heads.items()
        }
        self.heads = nn.ModuleDict(
            {
                f"head_{name}": layer
                for name, layer in heads(kind.features_out, outs, dims=trunk.dims)
            }
        )

    def forward(self, x: Tensor, *, discard: Sequence[int] = ()) -> dict[str, Tensor]:
        """Logits of all heads; discard: voxels a side that a same-padded trunk drops."""
        x = self.trunk(x)
        if any(discard):
            x = crop(x, [n - 2 * d for n, d in zip(x.shape[2:], discard, strict=True)])
        return self.logits(x)

    def logits(self, x: Tensor) -> dict[str, Tensor]:
        """Logits of all heads, of what the trunk gives."""
        return {name.removeprefix("head_"): head(x) for name, head in self.heads.items()}


class Cascade(nn.Module):
    """All stages of a variant over one trunk; one child a stage, `stage_<name>`.

    A stage reads raw (b, 1, *spatial) in [-1, 1] and heads of earlier stages as they would lie on
    disk (see `as_stored`).  All of it is cropped about one centre to what the stage
    needs.  In eval mode a same-padded trunk discards its context; in train mode the last stage that
    runs keeps it, and earlier ones predict: no gradient, context discarded.
    """

    def __init__(self, variant: Variant, trunk: Trunk) -> None:
        super().__init__()
        self.variant, self.trunk = variant, trunk
        for stage in variant.stages:
            network = StageNetwork(
                stage, trunk, in_channels=read_channels(variant, stage, trunk.dims)
            )
            self.add_module(f"stage_{stage.name}", network)
        # plain tuples, made here: torch.compile follows no size algebra
        names = tuple(stage.name for stage in variant.stages)
        self._last = names[-1]
        self._reads = {stage.name: stage.reads for stage in variant.stages}
        self._heads = {stage.name: tuple(stage.heads) for stage in variant.stages}
        self._targets = {name: target_kind(head.target) for name, head in variant.heads().items()}
        self._margins = {
            last: {
                name: tuple(margin)
                for name, margin in sizes.margins(variant, trunk, stage=last).items()
            }
            for last in (None, *names)
        }
        extents = {
            training: architecture(trunk).extent(training=training) for training in (False, True)
        }
        self._step, self._remainder = tuple(extents[False].step), tuple(extents[False].remainder)
        self._shrink = {training: tuple(extent.shrink) for training, extent in extents.items()}
        # what a trunk does not lose itself, as it shows in training, is dropped in prediction
        self._discard = tuple((extents[False].shrink - extents[True].shrink) // 2)

    def stage(self, name: str) -> StageNetwork:
        """The network of a stage."""
        return cast(StageNetwork, self.get_submodule(f"stage_{name}"))

    def forward(
        self, raw: Tensor, *, stage: str | None = None, heads: Sequence[str] | None = None
    ) -> dict[str, Tensor]:
        """Logits {head: (b, c, *output)} of raw (b, 1, *spatial), all over the same voxels.

        stage: the last stage to run, e.g. the one in training (raw as of `sizes.raw_shape`); None:
               the last of the variant
        heads: which to give; None: those of that stage
        Raises ValueError where raw has no legal shape, naming those nearest, and where a head is
        unknown.
        """
        last, margins = stage or self._last, self._margins[stage]
        wanted = self._heads[last] if heads is None else tuple(heads)
        output = self._output(tuple(raw.shape[2:]), margins[last], stage)
        running = self._running(tuple(margins), wanted)
        read, logits = {"raw": raw}, {}
        for name in running:
            shape = [n - 2 * margin for n, margin in zip(raw.shape[2:], margins[name], strict=True)]
            discard = () if self.training and name == last else self._discard
            with torch.set_grad_enabled(name == last and torch.is_grad_enabled()):
                outputs = self.stage(name)(
                    _cropped(read, self._reads[name], shape), discard=discard
                )
            for head in outputs:
                if any(head in self._reads[later] for later in running):
                    read[head] = as_stored(outputs[head], self._targets[head])
                if head in wanted:
                    logits[head] = crop(outputs[head], output)
        return {head: logits[head] for head in wanted}

    def _output(
        self, raw: tuple[int, ...], margin: tuple[int, ...], stage: str | None
    ) -> tuple[int, ...]:
        entering = (
            tuple(n - 2 * m for n, m in zip(raw, margin, strict=True))
            if len(raw) == len(margin)
            else ()
        )
        output = tuple(n - s for n, s in zip(entering, self._shrink[self.training], strict=False))
        fits = (n % s == r for n, s, r in zip(entering, self._step, self._remainder, strict=False))
        if not entering or min(output) < 1 or not all(fits):
            # raises, and names the shapes that do
            return tuple(
                sizes.cascade_output(
                    self.variant, self.trunk, raw, stage=stage, training=self.training
                )
            )
        return output

    def _running(self, stages: tuple[str, ...], wanted: tuple[str, ...]) -> list[str]:
        """The stages, in order, that give a wanted head, or a head that such a stage reads."""
        known = [head for name in stages for head in self._heads[name]]
        unknown = [head for head in wanted if head not in known]
        if unknown:
            raise ValueError(
                f"no head {unknown[0]!r}; the stages {', '.join(stages)} give: {', '.join(known)}"
            )
        running: list[str] = []
        needed = set(wanted)
        for name in reversed(stages):
            if needed.intersection(self._heads[name]):
                running.insert(0, name)
                needed.update(self._reads[name])
        return running


def as_stored(logits: Tensor, target: TargetKind[Any]) -> Tensor:
    """Values of a head as they would lie on disk: computed in fp32, then rounded to one of 256
    steps, for most targets to k / 255; no gradient."""
    return target.storage.rounded(target.activation(logits.detach().float()))


def _cropped(arrays: dict[str, Tensor], names: Sequence[str], shape: Sequence[int]) -> Tensor:
    """The arrays of these names, cropped to shape, one after another along the channels."""
    parts = [crop(arrays[name], shape) for name in names]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
