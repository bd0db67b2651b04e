"""Sections that are images of their own, taken one by one, so that nothing goes on from one to the
next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.kernels.prediction import Heads

Mask = NDArray[np.bool_]
Fragments = Callable[[Heads, Mask | None, int], NDArray[np.uint64]]


def sections(
    heads: Heads, mask: Mask | None, first_section: int
) -> Iterator[tuple[Heads, Mask | None, int]]:
    """Heads (c, 1, y, x) and mask of each section, and its z in the world."""
    depth = next(iter(heads.values())).values.shape[1]
    for z in range(depth):
        section = {
            name: replace(head, values=head.values[:, z : z + 1]) for name, head in heads.items()
        }
        yield section, None if mask is None else mask[z : z + 1], first_section + z


def after(fragments: NDArray[Any], last: int) -> NDArray[np.uint64]:
    """Fragments with ids that follow `last`; 0 stays 0."""
    return np.where(fragments > 0, fragments + np.uint64(last), np.uint64(0))


def fragments_of_images(
    fragments: Fragments, heads: Heads, *, mask: Mask | None, first_section: int
) -> NDArray[np.uint64]:
    """Fragments (z, y, x) of images, numbered through.

    fragments: makes those of a section, ids 1..n, from its heads, its mask and its z
    """
    last, of_images = 0, list[NDArray[np.uint64]]()
    for section, inside, z in sections(heads, mask, first_section):
        made = fragments(section, inside, z)
        of_images.append(after(made, last))
        last += int(made.max(initial=0))
    return np.concatenate(of_images)
