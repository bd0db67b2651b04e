"""Turned volumes by numpy alone, and affinities of them brought back, for comparison."""

import numpy as np

from lsd.arrays.offsets import shift_array, views


def turn(array, *, order, flips):
    """`np.flip(np.transpose(array, order), flips)` over the last axes of `array` (..., z, y, x)."""
    lead = array.ndim - len(order)
    axes = (*range(lead), *(lead + axis for axis in order))
    return np.flip(array.transpose(axes), tuple(lead + axis for axis in flips))


def unturn(array, *, order, flips):
    """The inverse of `turn`."""
    lead = array.ndim - len(order)
    mirrored = np.flip(array, tuple(lead + axis for axis in flips))
    return mirrored.transpose(*range(lead), *(lead + int(axis) for axis in np.argsort(order)))


def restore(affs, neighborhood, *, order, flips):
    """Affinities (c, z, y, x) of a turned volume in the frame and the channel order of the volume
    as it was.

    Channel k of the turned volume joins voxels along the turned offset; where the neighborhood only
    holds the opposite of that, its affinity is found at the other end of the pair.  Returns (affs,
    valid), both (c, z, y, x); valid is False where the pair's other end is outside, and in channels
    whose offset, turned, the neighborhood does not hold.
    """
    source = {tuple(offset): channel for channel, offset in enumerate(neighborhood)}
    back = unturn(affs, order=order, flips=flips)
    restored, valid = np.zeros_like(back), np.zeros(back.shape, np.bool_)
    for channel, offset in enumerate(neighborhood):
        turned = tuple(
            -offset[axis] if place in flips else offset[axis] for place, axis in enumerate(order)
        )
        opposite = tuple(-k for k in turned)
        if turned in source:
            restored[channel], valid[channel] = back[source[turned]], True
        elif opposite in source:
            restored[channel] = shift_array(back[source[opposite]], offset)
            valid[channel][views(back.shape[1:], offset)[0]] = True
    return restored, valid
