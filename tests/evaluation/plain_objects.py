"""Scores of objects by their definitions: sets of voxels, fractions, and every assignment tried."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

# segment and object of each voxel
LINES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=16)


def arrays(pairs):
    return tuple(np.array([pair[i] for pair in pairs], np.uint64) for i in (0, 1))


def blobs(seed, *, shape=(12, 40, 40), count=60):
    """Boxes that lie over one another: many overlaps of every size."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint64)
    for label in range(1, count + 1):
        begin = [rng.integers(0, n) for n in shape]
        labels[tuple(slice(b, b + rng.integers(2, 9)) for b in begin)] = label
    return labels


def voxel_sets(labels):
    """The voxels of each id but 0."""
    flat = np.asarray(labels).reshape(-1).tolist()
    sets: dict[int, set[int]] = {}
    for place, label in enumerate(flat):
        if label:
            sets.setdefault(label, set()).add(place)
    return sets


def ious(segmentation, truth):
    """IoU of each pair that shares a voxel."""
    segments, objects = voxel_sets(segmentation), voxel_sets(truth)
    return {
        (s, o): Fraction(len(mine & other), len(mine | other))
        for s, mine in segments.items()
        for o, other in objects.items()
        if mine & other
    }


def best_pairs(segmentation, truth, threshold):
    """Number of pairs and sum of IoUs of the best one-to-one choice: all choices are tried."""
    allowed = {pair: iou for pair, iou in ious(segmentation, truth).items() if iou >= threshold}
    best = (0, Fraction(0))
    for size in range(1, len(allowed) + 1):
        for chosen in combinations(allowed, size):
            segments, objects = zip(*chosen, strict=True)
            if len(set(segments)) == len(set(objects)) == size:
                best = max(best, (size, sum((allowed[pair] for pair in chosen), Fraction(0))))
    return best


def coco(segmentation, truth, threshold, scores):
    """Average precision at one IoU, in the way of COCO, of segments without equal scores."""
    overlaps, objects = ious(segmentation, truth), voxel_sets(truth)
    taken, right = set(), []
    for segment in sorted(voxel_sets(segmentation), key=lambda s: -scores[s]):
        free = [
            (iou, o)
            for (s, o), iou in overlaps.items()
            if s == segment and iou >= threshold and o not in taken
        ]
        right.append(bool(free))
        if free:
            taken.add(max(free)[1])
    points = [
        (Fraction(sum(right[:n]), n), Fraction(sum(right[:n]), len(objects)))
        for n in range(1, len(right) + 1)
    ]
    read = [
        max((p for p, r in points if r >= Fraction(hundredth, 100)), default=Fraction(0))
        for hundredth in range(101)
    ]
    return float(sum(read) / 101)


def aji(segmentation, truth):
    """Aggregated Jaccard index, object by object."""
    segments, objects, overlaps = voxel_sets(segmentation), voxel_sets(truth), {}
    for (s, o), iou in ious(segmentation, truth).items():
        overlaps.setdefault(o, []).append((iou, len(segments[s] & objects[o]), s))
    shared = union = 0
    used = set()
    for o, voxels in objects.items():
        if o not in overlaps:
            union += len(voxels)
            continue
        # of equals the smaller id
        _, common, s = max(overlaps[o], key=lambda each: (*each[:2], -each[2]))
        shared, union = shared + common, union + len(voxels | segments[s])
        used.add(s)
    union += sum(len(voxels) for s, voxels in segments.items() if s not in used)
    return shared / union if union else None


def best_dice(one, other):
    """Mean over the objects of `one` of the best Dice with an object of `other`."""
    mine, others = voxel_sets(one), voxel_sets(other)
    if not mine:
        return None
    best = [
        max((2 * len(a & b) / (len(a) + len(b)) for b in others.values()), default=0)
        for a in mine.values()
    ]
    return sum(best) / len(best)


def flat(content, prefix=""):
    """Numbers of nested JSON by their path; None is -1."""
    if isinstance(content, list):
        content = dict(enumerate(content))
    if not isinstance(content, dict):
        return {prefix: -1 if content is None else content}
    return {
        key: value
        for name, inner in content.items()
        for key, value in flat(inner, f"{prefix}.{name}").items()
    }
