"""Synthetic volumes on disk: made once, named after all that they depend on."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from funlib.geometry import Roi

from lsd.spec import Synthetic
from lsd.spec.code import code_digest
from lsd.volumes.array import Array
from lsd.volumes.create import create_array

log = logging.getLogger(__name__)

# of what is generated: raised when the same seed gives other voxels than before
VERSION = 1


def path(synthetic: Synthetic, data_root: Path) -> Path:
    """Where the volume is kept: named by its spec, and by the version of what makes it, of a kind
    of one's own by its code."""
    shape = "x".join(map(str, synthetic.shape))
    size = "x".join(f"{nm:g}" for nm in synthetic.voxel_size)
    depends = f"{VERSION} {synthetic.model_dump_json()}{code_digest(synthetic)}"
    digest = hashlib.sha256(depends.encode()).hexdigest()[:8]
    name = f"synthetic_{synthetic.kind}_{shape}_{size}nm_seed{synthetic.seed}_{digest}.zarr"
    return data_root / name


def generate(synthetic: Synthetic, data_root: Path) -> Path:
    """The container of the volume, made if it is not there yet.

    It is written beside its place and then renamed, so several processes may do this at once: the
    first one's is kept.  Raises ValueError if the data root cannot be written.
    """
    target = path(synthetic, data_root)
    if target.exists():
        return target
    log.info("making the synthetic volume %s, for this and every later run", target)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        _write(synthetic, partial)
        _settle(partial, target)
    except OSError as error:
        raise ValueError(
            f"the synthetic volume is kept in the data root {data_root}, where it cannot be "
            f"written: {error}; "
            "set data_root (or $LSD_DATA) to a folder that can be"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def check_instances(arrays: Mapping[str, Array], container: Path) -> None:
    """Looks whether truth of a synthetic volume is a mask that does not tell its objects apart.

    Versions before wrote volumes/labels/mitochondria as one, uint8, whose voxels are the same.  As
    a further array, of which a head may learn a mask, it is as good as ever, and what it is not is
    said once.  Raises ValueError where it is the labels.

    arrays: by what they are for: "raw", "labels", "labels_mask", "arrays.<name>"
    """
    for role, array in arrays.items():
        is_truth = role == "labels" or role.startswith("arrays.")
        if is_truth and array.source.path == container and array.dtype == np.uint8:
            words = (
                f"{array.name} was written by an earlier version of this program and is a mask: it "
                f"does not say which voxels are one mitochondrion; delete {container}, and it is "
                "made again, with the same raw and neurons"
            )
            if role == "labels":
                raise ValueError(words)
            _warn(words)


@cache
def _warn(words: str) -> None:
    """Once in each process."""
    log.warning(words)


def _write(synthetic: Synthetic, container: Path) -> None:
    from lsd.synthetic import parts  # loads numba, which takes a second

    whole = Roi((0,) * len(synthetic.shape), synthetic.shape)
    for part in parts(synthetic):
        for name, data in part.arrays.items():
            # makes it once, and opens it for every later part
            array = create_array(
                container,
                name,
                roi=whole,
                voxel_size=synthetic.voxel_size,
                dtype=data.dtype,
                labels=name.startswith("volumes/labels/"),
            )
            array.write(data, Roi(part.begin, data.shape))


def _settle(partial: Path, target: Path) -> None:
    try:
        os.rename(partial, target)
    except OSError:
        # a folder that is not empty cannot be replaced: another process was first
        if not target.exists():
            raise
