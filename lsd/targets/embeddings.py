"""Dense voxel embeddings: numbers for each voxel, near each other within an object and far apart
between objects; and the affinities that follow from them.

Source: Lee et al. 2021, "Learning and segmenting dense voxel embeddings for 3D neuron
reconstruction", IEEE TMI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls, offsets_of
from lsd.arrays.offsets import Offset, Slices, check_neighborhood, for_dims, reach, views
from lsd.targets.activation import Readout
from lsd.targets.affinities import affinities
from lsd.targets.target import Known, Sample, TargetKind, Values

if TYPE_CHECKING:
    from torch import Tensor

_DEFAULT = spec.Embeddings()
# of a batch
ALL = (slice(None),)


@explaining_calls
def metric_affinities(
    embeddings: Tensor, neighborhood: Sequence[Sequence[int]], *, dd: float = _DEFAULT.dd
) -> Tensor:
    """Affinities (b, c, *spatial) in 0..1 of embeddings (b, n, *spatial), with their graph:

        a_k(v) = [(2 dd - |e(v) - e(v + k)|_1) / (2 dd)]_+^2

    neighborhood: c offsets in voxels, z y x, or y x of 2D
    dd:           half the distance from which on they are 0; that of the loss

    Where v + k is outside, a pair has no affinity, and 0 stands there.  Only embeddings of one pass
    of a network may be compared.  Raises ValueError for embeddings that are no floats of torch,
    where offsets do not fit the axes, are 0, or are given twice, and for a dd that is not above 0.

    >>> import torch
    >>> metric_affinities(torch.tensor([[[[0.0, 0.0, 1.5, 9.0]]]]), [(0, -1)]).tolist()
    [[[[0.0, 1.0, 0.25, 0.0]]]]
    """
    import torch

    if not isinstance(embeddings, torch.Tensor) or not embeddings.is_floating_point():
        dtype = getattr(embeddings, "dtype", "")
        raise ValueError(
            f"embeddings are a tensor of floats, got {type(embeddings).__name__} {dtype}"
        )
    shape = tuple(embeddings.shape[2:])
    offsets = check_neighborhood(offsets_of(neighborhood))
    if len(offsets[0]) != len(shape):
        raise ValueError(
            f"offset {offsets[0]} has {len(offsets[0])} entries, embeddings have {len(shape)} "
            f"spatial axes (shape {tuple(embeddings.shape)}, batch and channels first); give each "
            f"offset one entry an axis"
        )
    dd = derived(_DEFAULT, dd=dd).dd
    values = embeddings.new_zeros((embeddings.shape[0], len(offsets), *shape))
    for channel, offset in enumerate(offsets):
        voxels, neighbours = views(shape, offset)
        distances = _distances(embeddings, ALL + voxels, ALL + neighbours)
        values[:, channel][ALL + voxels] = (1 - distances / (2 * dd)).clamp(min=0).square()
    return values


def _distances(embeddings: Tensor, some: Slices, others: Slices) -> Tensor:
    """Sums of absolute differences (b, *spatial) between embeddings of some voxels and of others.

    A dimension at a time, which takes no memory of the size of all.
    """
    first, *more = embeddings.unbind(1)
    distances = (first[some] - first[others]).abs()
    for dimension in more:
        distances = distances + (dimension[some] - dimension[others]).abs()
    return distances


class MetricAffinities(Readout):
    """Affinities of a neighborhood from embeddings; see `metric_affinities`."""

    def __init__(self, neighborhood: Sequence[Offset], *, dd: float) -> None:
        self.neighborhood, self.dd = tuple(neighborhood), dd

    def __call__(self, logits: Tensor) -> Tensor:
        """(b, n, *spatial) -> (b, c, *spatial)."""
        return metric_affinities(logits, for_dims(self.neighborhood, logits.ndim - 2), dd=self.dd)


class EmbeddingTarget(TargetKind[spec.Embeddings]):
    """Embeddings as what a head gives, and affinities as what is made of them.

    The target is affinities, too, known where both ends are inside the sample.  A loss of
    embeddings asks for labels instead.
    """

    binary = True

    def __init__(self, settings: spec.Embeddings) -> None:
        super().__init__(settings)
        self.activation = MetricAffinities(settings.neighborhood, dd=settings.dd)

    def channels(self, dims: int) -> int:
        """One for each offset."""
        return len(self._offsets(dims))

    def logit_channels(self, dims: int) -> int:
        """One for each dimension of an embedding."""
        return self.spec.dimensions

    def partners(self, dims: int) -> tuple[Offset, ...]:
        """The neighborhood: an affinity is made of the embeddings at both of its ends."""
        return self._offsets(dims)

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """Affinities of labels."""
        return affinities(sample.labels, self._offsets(sample.dims), mask=sample.known)

    def remarks(self, output: Sequence[int], voxel_size: Sequence[float] | None) -> list[str]:
        """Embeddings are only comparable as far as they were learned together."""
        farthest: Sequence[Any] = reach(self._offsets(len(output)))
        if all(step < n for step, n in zip(farthest, output, strict=True)):
            return []
        return [
            f"the neighborhood reaches {tuple(farthest)} voxels, and outputs of training are "
            f"{tuple(int(n) for n in output)}: embeddings so far apart are never compared in "
            "training, so their affinities say nothing"
        ]

    def _offsets(self, dims: int) -> tuple[Offset, ...]:
        return for_dims(self.spec.neighborhood, dims)
