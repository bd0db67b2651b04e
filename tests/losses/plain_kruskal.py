"""Counts of pairs by definition: edges sorted by Python, sets of voxels in dictionaries."""

from collections import Counter

import numpy as np


def edges_of(affs, labels, neighborhood, mask):
    """(affinity, channel, voxel, other voxel, kind) of each edge; kind: 1 inside an object, 0 not,
    None: unknown.  Voxels are numbers in the order of memory."""
    for channel, offset in enumerate(neighborhood):
        for voxel in np.ndindex(labels.shape):
            other = tuple(a + k for a, k in zip(voxel, offset, strict=True))
            if not all(0 <= a < n for a, n in zip(other, labels.shape, strict=True)):
                continue
            kind = None
            if mask is None or (mask[voxel] and mask[other]):
                kind = int(labels[voxel] == labels[other] != 0)
            places = [int(np.ravel_multi_index(v, labels.shape)) for v in (voxel, other)]
            yield affs[(channel, *voxel)], channel, *places, kind


def plain_pair_counts(affs, labels, neighborhood, *, mask=None):
    """What `lsd.losses.malis.pair_counts` gives."""
    edges = list(edges_of(affs, labels, neighborhood, mask))
    one = 255 if affs.dtype == np.uint8 else 1
    return tuple(
        _pass(edges, affs.shape, labels, mask, counted=counted, forced=forced)
        for counted, forced in ((1, 0), (0, one))
    )


def _pass(edges, shape, labels, mask, *, counted, forced):
    def in_turn(edge):
        affinity, channel, voxel, _, kind = edge
        is_forced = kind is not None and kind != counted
        return -float(forced if is_forced else affinity), channel, voxel

    known = labels.reshape(-1) if mask is None else np.where(mask, labels, 0).reshape(-1)
    root = list(range(labels.size))
    histograms = [Counter([int(label)] if label else []) for label in known]
    counts = np.zeros((shape[0], labels.size), np.int64)
    for _, channel, voxel, other, kind in sorted(edges, key=in_turn):
        a, b = _root(root, voxel), _root(root, other)
        if a == b:
            continue
        if len(histograms[a]) < len(histograms[b]):
            a, b = b, a
        same = sum(n * histograms[a][label] for label, n in histograms[b].items())
        if kind == counted:
            every = histograms[a].total() * histograms[b].total()
            counts[channel, voxel] = same if counted else every - same
        histograms[a].update(histograms[b])
        root[b] = a
    return counts.reshape(shape)


def _root(root, voxel):
    while root[voxel] != voxel:
        root[voxel] = root[root[voxel]]
        voxel = root[voxel]
    return voxel
