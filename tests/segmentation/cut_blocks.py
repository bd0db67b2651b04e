"""Small random instance segmentations, cut into blocks that overlap, each with ids of its own."""

import numpy as np
from scipy import ndimage

from lsd.segmentation.stitch import Rule

# for blocks that agree in all that they share
PERFECT = Rule(always=None, least=0, one=0.5, both=0.5)


def instances(shape, seed, *, count=12, filled=0.7):
    """Instances that are each one piece, some of them touching: nearest of some points, cut by
    smooth noise."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (count, len(shape))) * shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    nearest = ((grid[..., None, :] - points) ** 2).sum(-1).argmin(-1) + 1
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    pieces, _ = ndimage.label(noise < np.quantile(noise, filled))
    both = nearest * (pieces.max() + 1) + pieces
    both[pieces == 0] = 0
    labels = np.zeros(shape, np.uint64)
    for number in np.unique(both[both > 0]):
        parts, found = ndimage.label(both == number)
        for part in range(1, found + 1):
            labels[parts == part] = labels.max() + 1
    return labels


def starts(extent, size, overlap):
    """Begins of blocks along an axis that cover it, each `overlap` into the one before."""
    return [0, *range(size - overlap, extent - overlap, size - overlap)]


def cut(labels, size, overlap, *, seed=0, largest=2**64 - 1):
    """Blocks (begin, labels) of at most `size` voxels, with the ids of each drawn anew."""
    rng = np.random.default_rng(seed)
    axes = [starts(extent, n, o) for extent, n, o in zip(labels.shape, size, overlap, strict=True)]
    blocks = []
    for begin in np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, labels.ndim):
        begin = tuple(map(int, begin))
        part = labels[tuple(slice(b, b + n) for b, n in zip(begin, size, strict=True))]
        blocks.append((begin, renamed(part, rng, largest)))
    return blocks


def renamed(labels, rng, largest=2**64 - 1):
    """The same under other ids, up to `largest`."""
    ids = np.unique(labels[labels > 0])
    drawn = set()
    while len(drawn) < len(ids):
        drawn.add(int(rng.integers(1, largest, dtype=np.uint64, endpoint=True)))
    names = np.array([0, *rng.permutation(np.array(sorted(drawn), object))], np.uint64)
    return names[np.searchsorted(np.array([0, *ids], np.uint64), labels)]


def is_renaming(one, other):
    """Whether two segmentations are the same but for their ids, and 0 is 0 in both."""
    pairs = np.unique(np.stack([one.reshape(-1), other.reshape(-1)]), axis=1)
    return ((pairs[0] == 0) == (pairs[1] == 0)).all() and len(np.unique(pairs[0])) == pairs.shape[
        1
    ] == len(np.unique(pairs[1]))
