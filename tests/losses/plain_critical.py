"""Critical mistakes by definition: masks of scipy, a component at a time."""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DIFFERING = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}


def plain_critical(truth, prediction, *, connectivity, criterion="joint", mask=None):
    """What `lsd.losses.supervoxel.critical` gives."""
    if mask is not None:
        truth, prediction = np.where(mask, truth, 0), prediction & mask
    structure = ndimage.generate_binary_structure(truth.ndim, DIFFERING[connectivity])
    splits = _critical(truth, ~prediction, structure, criterion)
    components, _ = ndimage.label(prediction, structure)
    return splits, _critical(components, truth == 0, structure, criterion)


def _critical(objects, wrong, structure, criterion):
    critical = np.zeros(objects.shape, bool)
    for label in np.unique(objects[objects > 0]):
        whole = objects == label
        groups, count = ndimage.label(whole & wrong, structure)
        for group in range(1, count + 1):
            if _is_critical(whole, whole & wrong, groups == group, structure, criterion):
                critical |= groups == group
    return critical


def _is_critical(whole, wrong, group, structure, criterion):
    if criterion == "joint":
        parts, _ = ndimage.label(whole & ~wrong, structure)
        near = ndimage.binary_dilation(group, structure) & whole & ~wrong
        return len(np.unique(parts[near])) != 1
    # the object before, and without this group alone
    before, after = (ndimage.label(mask, structure)[1] for mask in (whole, whole & ~group))
    return before != after


def plain_critical_edges(affs, labels, neighborhood, *, threshold=0.5, mask=None):
    """What `lsd.losses.supervoxel_edges.critical_edges` gives."""
    edges = list(_edges(labels, neighborhood, mask))
    joining = [bool(affs[(channel, *voxel)] >= threshold) for channel, voxel, _ in edges]
    splits, merges = np.zeros(affs.shape, bool), np.zeros(affs.shape, bool)
    inside = [labels[a] == labels[b] != 0 for _, a, b in edges]
    background = [labels[a] == labels[b] == 0 for _, a, b in edges]
    parts = _parts(labels.shape, _chosen(edges, inside, joining))
    groups = _parts(labels.shape, _chosen(edges, background, joining))
    touched = {}
    for (_, a, b), joins in zip(edges, joining, strict=True):
        for one, other in ((a, b), (b, a)):
            if joins and labels[one] == 0 != labels[other]:
                touched.setdefault(groups[one], set()).add(int(labels[other]))
    for (channel, a, b), joins, is_inside in zip(edges, joining, inside, strict=True):
        if is_inside and not joins:
            splits[(channel, *a)] = parts[a] != parts[b]
        elif joins and not is_inside:
            between = labels[a] != 0 != labels[b]
            through = groups[a if labels[a] == 0 else b]
            merges[(channel, *a)] = between or len(touched.get(through, ())) >= 2
    return splits, merges


def _edges(labels, neighborhood, mask):
    for channel, offset in enumerate(neighborhood):
        for voxel in np.ndindex(labels.shape):
            other = tuple(a + k for a, k in zip(voxel, offset, strict=True))
            if not all(0 <= a < n for a, n in zip(other, labels.shape, strict=True)):
                continue
            if mask is None or (mask[voxel] and mask[other]):
                yield channel, voxel, other


def _chosen(edges, *conditions):
    return [edge for edge, *chosen in zip(edges, *conditions, strict=True) if all(chosen)]


def _parts(shape, edges):
    """Number of the part of each voxel."""
    rows, columns = (
        [int(np.ravel_multi_index(edge[side], shape)) for edge in edges] for side in (1, 2)
    )
    size = int(np.prod(shape))
    graph = coo_array((np.ones(len(rows)), (rows, columns)), (size, size))
    return connected_components(graph, directed=False)[1].reshape(shape)
