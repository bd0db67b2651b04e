"""Fragments (supervoxels): seeded watershed on the distance to the nearest boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.arguments import explaining_calls, number, whole_number
from lsd.arrays.ids import set_voxels
from lsd.arrays.lookup import compact, components, relabel
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.kernels.flood import flood
from lsd.segmentation.kernels.nearest import checked, mean_affinity, warn_of_a_mask
from lsd.segmentation.kernels.seeds import seeds, squared_distance

Boundaries = Literal["nearest", "affinity"]

_DEFAULT = spec.Fragments()

# for epsilon_agglomerate: a low quantile joins only where nearly the whole contact is open
EPSILON_SCORING = "hist_quant_25"


@explaining_calls
def fragments(
    affs: NDArray[Any],
    *,
    mask: NDArray[Any] | None = None,
    in_xy: bool = _DEFAULT.in_xy,
    threshold: float = _DEFAULT.threshold,
    min_seed_distance: int = _DEFAULT.min_seed_distance,
    boundaries: Boundaries = _DEFAULT.boundaries,
    foreground_only: bool = _DEFAULT.foreground_only,
    filter_fragments: float = _DEFAULT.filter_fragments,
    epsilon_agglomerate: float = _DEFAULT.epsilon_agglomerate,
    min_size: int = _DEFAULT.min_size,
    blank_sections: int | Sequence[int] = _DEFAULT.blank_sections,
) -> NDArray[np.uint64]:
    """Fragments of `affs` (c, z, y, x): uint64 (z, y, x), ids 1..n, 0 where there is none; 2D drops
    z.

    affs:   floats in [0, 1] or uint8; the first channels are those of z, y, x.  1: same neuron
    mask:   (z, y, x), 0 where there are to be no fragments; taken as boundary too
    in_xy:  every section on its own, from the mean of the channels of y and x
    threshold: mean affinity above which a voxel is inside; distances are counted in voxels from the
               others
    min_seed_distance: width of the box in which a seed has the largest distance
    boundaries:        voxels that are not inside go to the fragment that is "nearest", or to the
                       one that reaches them over the higher mean "affinity" (in steps of 1/255):
                       dark and thin neurites, of which little is inside, stay whole
    foreground_only:   leave boundaries 0; otherwise fragments flood them too
    filter_fragments:  drop fragments whose mean affinity is lower
    epsilon_agglomerate: join fragments up to this score (hist_quant_25); 0: do not
    min_size:          drop fragments of fewer voxels, in the end
    blank_sections:    indices in z to leave 0, or one

    Nothing inside anywhere (or in a section, in_xy): 0 everywhere there.  Neither affs nor mask is
    changed.  Affinities with an end outside the mask, or in a blank section, say nothing, whatever
    they are.  Raises ValueError for shapes and options that do not fit and affinities that are
    none; warns of uint8 affinities that are all 0 and 1.
    Source: Funke et al. 2019, Sheridan et al. 2022 (watershed on the distance transform of the mean
    affinity; "nearest").

    >>> import lsd, numpy
    >>> affs = numpy.ones((3, 16, 16, 33), numpy.float32)
    >>> affs[:, :, :, 16] = 0.1
    >>> found = lsd.fragments(affs, min_seed_distance=20)
    >>> found.dtype, int(found.max())
    (dtype('uint64'), 2)
    """
    affs = checked(affs)
    warn_of_a_mask(affs)
    _check_options(threshold, boundaries)
    min_seed_distance = whole_number(min_seed_distance, "min_seed_distance", low=1)
    min_size = whole_number(min_size, "min_size", low=0)
    _check_scores(filter_fragments=filter_fragments, epsilon_agglomerate=epsilon_agglomerate)
    allowed = _allowed(affs.shape[1:], mask, blank_sections)
    mean = mean_affinity(affs, in_xy=in_xy, mask=allowed)
    foreground = (mean > threshold) & allowed
    # fragments may flood what is masked, to be cut there, but last of all, whatever the affinities
    # there
    height = np.rint(mean * 255 * allowed).astype(np.int32) if boundaries == "affinity" else None
    labels = _watershed(foreground, height, min_seed_distance, in_xy=in_xy and mean.ndim == 3)
    labels *= foreground if foreground_only else allowed
    if filter_fragments > 0:
        labels = _drop(labels, _means(labels, mean) < filter_fragments)
    if epsilon_agglomerate > 0:
        labels = _join(affs, labels, epsilon_agglomerate)
    return compact(labels, min_size=min_size)


def _check_options(threshold: float, boundaries: str) -> None:
    if not 0 <= number(threshold, "threshold") <= 1:
        raise ValueError(
            f"threshold is a mean affinity, 0..1 (also for uint8, where 255 is 1), got {threshold}"
        )
    if boundaries not in get_args(Boundaries):
        raise ValueError(
            f"boundaries is one of {', '.join(get_args(Boundaries))}, got {boundaries!r}"
        )


def _check_scores(**scores: float) -> None:
    for name, score in scores.items():
        if not 0 <= number(score, name) <= 1:
            raise ValueError(
                f"{name} is 0..1, 0 for none (also for uint8, where 255 is 1), got {score}"
            )


def _allowed(
    shape: tuple[int, ...], mask: NDArray[Any] | None, blank: int | Sequence[int]
) -> NDArray[np.bool_]:
    sections = [whole_number(z, "blank_sections", low=0) for z in np.atleast_1d(blank).tolist()]
    inside = set_voxels(mask, shape, of="the affinities")
    allowed = np.ones(shape, dtype=bool) if inside is None else inside
    if sections and (len(shape) != 3 or not all(z < shape[0] for z in sections)):
        raise ValueError(
            f"blank_sections {tuple(sections)} are not all sections of affinities of shape {shape}"
        )
    allowed[sections] = False
    return allowed


def _watershed(
    foreground: NDArray[np.bool_], affinity: NDArray[np.int32] | None, distance: int, *, in_xy: bool
) -> NDArray[np.int32]:
    """affinity: what fragments flood the rest by; None: the distance to them."""
    if in_xy:
        labels, last = np.empty(foreground.shape, dtype=np.int32), 0
        for z, section in enumerate(foreground):
            labels[z] = _watershed(
                section, None if affinity is None else affinity[z], distance, in_xy=False
            )
            labels[z][labels[z] > 0] += last
            last = max(last, int(labels[z].max(initial=0)))
        return labels
    if not foreground.any():
        return np.zeros(foreground.shape, dtype=np.int32)
    height = squared_distance(foreground)
    starts = seeds(height, distance)
    if affinity is None:
        return flood(height, starts)
    return flood(affinity, flood(height, starts, within=foreground))


def _means(labels: NDArray[np.int32], mean: NDArray[np.float32]) -> NDArray[np.float64]:
    counts = np.bincount(labels.reshape(-1))
    sums = np.bincount(labels.reshape(-1), weights=mean.reshape(-1))
    return sums / np.maximum(counts, 1)


def _drop(labels: NDArray[np.int32], dropped: NDArray[np.bool_]) -> NDArray[np.int32]:
    return labels if not dropped[1:].any() else labels * ~dropped[labels]


def _join(affs: NDArray[Any], labels: NDArray[np.int32], epsilon: float) -> NDArray[np.int32]:
    nodes = np.unique(labels).astype(np.uint64)
    segments = components(
        nodes, *agglomerate(affs[: labels.ndim], labels, scoring=EPSILON_SCORING), epsilon
    )
    return relabel(labels, nodes, segments).astype(np.int32)
