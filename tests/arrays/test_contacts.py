"""Contacts of ids against their definition, face by face; of parts against the whole."""

import itertools

import numpy as np
import pytest

from lsd.arrays.contacts import CONTACT, contacts, numbers, together


def by_definition(labels):
    """(u, v) -> faces across each axis, and sums of the middles of all, in halves of a voxel."""
    found = {}
    flat = 3 - labels.ndim
    for place in itertools.product(*map(range, labels.shape)):
        for axis in range(labels.ndim):
            other = tuple(n + (a == axis) for a, n in enumerate(place))
            if other[axis] == labels.shape[axis]:
                continue
            u, v = sorted((int(labels[place]), int(labels[other])))
            if u == v or u == 0:
                continue
            faces, sums = found.setdefault((u, v), (np.zeros(3, int), np.zeros(3, int)))
            faces[flat + axis] += 1
            sums[flat:] += [a + b + 1 for a, b in zip(place, other, strict=True)]
    return found


@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 4, 5), (6, 7)])
def test_faces_and_their_middles(shape) -> None:
    # ids above 2**53, which floats do not tell apart
    labels = np.random.default_rng(0).integers(0, 4, shape).astype(np.uint64)
    labels[labels > 0] += np.uint64(2**60)
    begin = (0,) * labels.ndim
    rows = contacts(labels, inside=[slice(0, n) for n in shape], begin=begin)
    found = {
        (int(row["u"]), int(row["v"])): (faces, sums)
        for row, faces, sums in zip(rows, numbers(rows, "faces"), numbers(rows, "sum"), strict=True)
    }
    expected = by_definition(labels)
    assert list(found) == sorted(expected)
    for pair, (faces, sums) in expected.items():
        np.testing.assert_array_equal(found[pair][0], faces)
        np.testing.assert_array_equal(found[pair][1], sums)


def test_parts_add_up_to_the_whole() -> None:
    labels = np.random.default_rng(1).integers(0, 9, (8, 9, 10)).astype(np.uint64)
    whole = contacts(labels, inside=[slice(0, n) for n in labels.shape], begin=(0, 0, 0))
    parts = [np.empty(0, CONTACT)]
    for z, y, x in itertools.product((0, 4), (0, 3, 6), (0, 5)):
        begin = [max(n - 1, 0) for n in (z, y, x)]
        around = labels[begin[0] : z + 4, begin[1] : y + 3, begin[2] : x + 5]
        inside = [
            slice(n - b, size) for n, b, size in zip((z, y, x), begin, around.shape, strict=True)
        ]
        parts.append(contacts(around, inside=inside, begin=begin))
    np.testing.assert_array_equal(together(np.concatenate(parts)), whole)


def test_nothing_touches_nothing() -> None:
    alone = np.zeros((3, 3, 3), np.uint64)
    alone[1, 1, 1] = 5
    assert not len(contacts(alone, inside=[slice(0, 3)] * 3, begin=(0, 0, 0)))
