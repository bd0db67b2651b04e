"""A synthetic volume from its spec: as arrays, part by part, and its skeletons."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec.kinds import behaviour
from lsd.spec.synthetic import Synthetic
from lsd.synthetic.generator import Generator, Part


def synthesize(synthetic: Synthetic) -> dict[str, NDArray[Any]]:
    """Arrays of the volume by name, all (z, y, x); a function of the spec alone.

    volumes/raw:                  uint8
    volumes/labels/neuron_ids:    of neuropil: uint64, dense: 1..n, each id one 6-connected piece
    volumes/labels/mitochondria:  of neuropil: uint64, 1..n inside, 0 elsewhere; each lies within
                                  one neuron.  Those that touch are one, as nothing is drawn between
    volumes/labels/somata:        of somata: uint64, 1..n inside cell bodies, 0 elsewhere
    volumes/labels/nuclei:        of somata: uint64, in its nucleus the id of the cell
    Raises ValueError if the shape has not three axes of 16 or more (serial sections: any z).
    """
    whole: dict[str, NDArray[Any]] = {}
    for part in parts(synthetic):
        if part.shape == synthetic.shape:
            return part.arrays
        for name, data in part.arrays.items():
            if name not in whole:
                whole[name] = np.empty(synthetic.shape, data.dtype)
            whole[name][part.place] = data
    return whole


def parts(synthetic: Synthetic) -> Iterator[Part]:
    """The same in parts that make up the volume, each made when it is asked for.

    Neuropil is grown as a whole, and is one part.  Raises ValueError as `synthesize` does, and
    where the parts of a kind of one's own are not the volume.
    """
    return _whole(synthetic, _generator(synthetic).parts())


def skeletons(synthetic: Synthetic) -> Skeletons:
    """The center lines of the neurons of `synthesize(synthetic)`: nodes in nm from the corner of
    the first voxel.

    A skeleton has the id of its label, and each of its nodes lies in a voxel of it.  A node whose
    voxel a neighbour took, which happens where voxels are as large as neurites, is left out, as is
    what lies outside of the volume, and a node without an edge.  A label that small pieces of
    others joined has these as pieces.
    Raises ValueError as `synthesize` does, and where a kind has no neurons.
    """
    return _generator(synthetic).skeletons()


def _whole(synthetic: Synthetic, parts: Iterator[Part]) -> Iterator[Part]:
    """The parts.  Raises ValueError for one that is no part of the volume, where arrays differ from
    those of the first, and at the end if voxels are missing."""
    wanted, voxels = None, 0
    for part in parts:
        dtypes = {name: data.dtype for name, data in part.arrays.items()}
        wanted = wanted or dtypes
        if not dtypes or dtypes != wanted:
            raise _misfit(synthetic, part, f"has {_told(dtypes)}, the first {_told(wanted)}")
        shapes = {name: data.shape for name, data in part.arrays.items()}
        inside = len(part.shape) == len(part.begin) == len(synthetic.shape) and all(
            0 <= place.start <= place.stop <= n
            for place, n in zip(part.place, synthetic.shape, strict=True)
        )
        if len(set(shapes.values())) > 1 or not inside:
            raise _misfit(synthetic, part, f"has {_told(shapes)}, of {synthetic.shape}")
        voxels += prod(part.shape)
        yield part
    if voxels != prod(synthetic.shape):
        raise ValueError(
            f"the parts of a synthetic volume of kind {synthetic.kind!r} have {voxels} voxels, and "
            f"the volume {synthetic.shape} has {prod(synthetic.shape)}; give each voxel once"
        )


def _misfit(synthetic: Synthetic, part: Part, what: str) -> ValueError:
    return ValueError(
        f"a part of a synthetic volume of kind {synthetic.kind!r}, at {part.begin}, {what}; parts "
        f"are boxes of the volume, and all have the same arrays"
    )


def _told(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items()) or "no array"


def _generator(synthetic: Synthetic) -> Generator:
    generator: Generator = behaviour(synthetic)
    return generator
