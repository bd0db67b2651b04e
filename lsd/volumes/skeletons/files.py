"""Skeletons from and to files, whatever their format."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec.kinds import behaviour
from lsd.spec.skeletons import SkeletonFormat, Unit
from lsd.volumes.skeletons.format import SkeletonFile, Traced

log = logging.getLogger(__name__)
_NM = {"nm": (1.0, 1.0, 1.0), "um": (1e3, 1e3, 1e3)}


def read_skeletons(
    *paths: str | Path,
    unit: Unit | None = None,
    voxel_size: Sequence[float] | None = None,
    trust: bool = False,
) -> Skeletons:
    """Skeletons of one file or several: SWC, NML, GraphML, node-link JSON, CATMAID's CSV, .npz, a
    folder of precomputed skeletons, or a pickled graph.

    unit:  of the coordinates, "nm", "um" or "voxel", which SWC files do not say; before what a file
           says, and where they differ a warning names both
    voxel_size: nm, z y x, where the unit is "voxel"
    trust: whether pickles are read, which may run any code
    Nodes of several files are numbered anew, from 1; a skeleton that is in several files has these
    pieces.  Raises ValueError, with the file, for what cannot be read and for what `Skeletons`
    refuses.
    """
    parts = []
    for path in map(Path, paths):
        check_file(path, unit=unit, voxel_size=voxel_size, trust=trust)
        try:
            parts.append(_skeletons(format_of(path).read(path), path, unit, voxel_size))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    return parts[0] if len(parts) == 1 else _joined(parts)


def write_skeletons(
    skeletons: Skeletons, path: str | Path, *, voxel_size: Sequence[float] | None = None
) -> None:
    """Writes skeletons in the format that the path ends with: .npz, .nml, .graphml, .json, .csv, of
    one skeleton .swc; a path without suffix is a folder of precomputed skeletons.

    voxel_size: nm, z y x, which NML counts in
    Raises ValueError for another suffix, and for what a format cannot hold.
    """
    path = Path(path)
    written = [form for form in _formats() if path.suffix.lower() in form.suffixes]
    if not path.suffix:
        written = [form for form in _formats() if not form.suffixes]
    if not written:
        raise ValueError(f"{path}: its suffix is {path.suffix!r}; allowed: {_suffixes()}")
    if skeletons.positions.shape[1] != 3 and path.suffix != ".npz":
        raise ValueError(f"{path}: files of skeletons are 3D, these are 2D; write .npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    written[0].write(skeletons, path, voxel_size=voxel_size)


def format_of(path: Path) -> SkeletonFile:
    """The format that claims a file.  Raises ValueError, with those that there are."""
    if not path.exists():
        raise ValueError(f"there is no file {str(path)!r} of skeletons")
    for form in _formats():
        if form.claims(path):
            return form
    noun = "folder" if path.is_dir() else "file"
    raise ValueError(
        f"{path} is no {noun} of skeletons that is known by its name; allowed: {_suffixes()}, or a "
        f"folder of precomputed skeletons"
    )


def check_file(
    path: Path,
    *,
    unit: Unit | None,
    voxel_size: Sequence[float] | None,
    trust: bool,
) -> None:
    """Refuses, without reading it, a file that could not be read with these settings."""
    form = format_of(path)
    if form.runs_code and not trust:
        raise ValueError(
            f"{path} is a {form.reads}, and reading it runs whatever code is in it; say "
            f"trust=True if you know where it comes from, or write it as GraphML"
        )
    if not form.states_unit and unit is None:
        raise ValueError(
            f"{path}: an {form.reads} does not say in which unit its coordinates are; say "
            f"unit='nm', 'um' or 'voxel'"
        )
    if unit == "voxel" and voxel_size is None:
        raise ValueError(f"{path}: unit='voxel' needs voxel_size=, nm, z y x")


def _formats() -> list[SkeletonFile]:
    """Those that are defined last come first."""
    kinds: list[type[Any]] = list(SkeletonFormat.kinds().values())
    return [behaviour(kind()) for kind in reversed(kinds)]


def _suffixes() -> str:
    return ", ".join(suffix for form in reversed(_formats()) for suffix in form.suffixes)


def _skeletons(
    traced: Traced, path: Path, unit: Unit | None, voxel_size: Sequence[float] | None
) -> Skeletons:
    size = _unit(traced, path, unit, voxel_size)
    try:
        return Skeletons(
            traced.node_ids, traced.skeleton_ids, traced.positions * size, traced.edges
        )
    except ValueError as error:
        if not traced.numbered:
            raise
        raise ValueError(f"{error} (its nodes are numbered here, from 1)") from error


def _unit(
    traced: Traced, path: Path, unit: Unit | None, voxel_size: Sequence[float] | None
) -> NDArray[np.float64]:
    """nm of a coordinate of 1, z y x."""
    if unit is None:
        if traced.unit is None:
            raise ValueError("it does not say in which unit its coordinates are; say unit=")
        return np.asarray(traced.unit)[-_axes(traced) :]
    size = tuple(map(float, voxel_size)) if unit == "voxel" and voxel_size else _NM.get(unit)
    assert size is not None, "checked with the file"
    if traced.unit is not None and not np.allclose(traced.unit, size):
        log.warning("%s says that 1 is %s nm, z y x; unit=%r is used", path, traced.unit, unit)
    return np.asarray(size)[-_axes(traced) :]


def _axes(traced: Traced) -> int:
    return 2 if np.shape(traced.positions)[1:] == (2,) else 3


def _joined(parts: Sequence[Skeletons]) -> Skeletons:
    """Skeletons of several files, their nodes numbered anew."""
    first = np.cumsum([1, *(len(part) for part in parts)])
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("skeleton_ids", "positions")
    }
    edges = [part.places + begin for part, begin in zip(parts, first, strict=False)]
    return Skeletons(np.arange(1, first[-1]), **arrays, edges=np.concatenate(edges))
