"""Sections that are images of their own, taken one by one: what is made of an image follows from it
alone, whatever lies beyond it or in another section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import Slices
from lsd.segmentation.kernels.prediction import Heads

Mask = NDArray[np.bool_]
Fragments = Callable[[Heads, Mask | None, int], NDArray[np.uint64]]


def each_alone(
    heads: Heads, mask: Mask | None, first_section: int, images: Sequence[Slices]
) -> Iterator[tuple[Heads, Mask | None, int]]:
    """Heads (c, 1, y, x) and mask of each image, and its z in the world; images: where they lie in
    the heads (z, y, x)."""
    for image in images:
        alone = {name: replace(head, values=head.values[:, *image]) for name, head in heads.items()}
        yield alone, None if mask is None else mask[image], first_section + image[0].start


def after(fragments: NDArray[Any], last: int) -> NDArray[np.uint64]:
    """Fragments with ids that follow `last`; 0 stays 0."""
    return np.where(fragments > 0, fragments + np.uint64(last), np.uint64(0))


def placed(
    made: Sequence[NDArray[np.uint64]], images: Sequence[Slices], shape: tuple[int, ...]
) -> NDArray[np.uint64]:
    """What was made of each image, ids 1..n, numbered through and where it lies; 0 beyond."""
    last, whole = 0, np.zeros(shape, np.uint64)
    for fragments, image in zip(made, images, strict=True):
        whole[image] = after(fragments, last)
        last += int(fragments.max(initial=0))
    return whole


def fragments_of_images(
    fragments: Fragments,
    heads: Heads,
    *,
    mask: Mask | None,
    first_section: int,
    images: Sequence[Slices],
) -> NDArray[np.uint64]:
    """Fragments (z, y, x) of images, numbered through; 0 beyond them.

    fragments: makes those of an image, ids 1..n, from its heads, its mask and its z
    images:    where they lie in the heads
    """
    made = [fragments(*alone) for alone in each_alone(heads, mask, first_section, images)]
    return placed(made, images, next(iter(heads.values())).values.shape[1:])
