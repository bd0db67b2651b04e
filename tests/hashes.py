"""What a run folder holds, in hashes: runs are identical where these are equal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
import zarr

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import load_step


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every array, of the rows of every step's blocks in their order, of look-up tables,
    weights and scores."""
    kinds = {
        ".zarray": _array,
        "step.json": _rows,
        "first.npy": _table,
        "*.pt": _weights,
        "evaluation.json": _scores,
    }
    return {
        f"{kind} {path.relative_to(folder)}": hashlib.sha256(content).hexdigest()
        for kind, read in kinds.items()
        for found in sorted(folder.rglob(kind))
        for path, content in read(found)
    }


def _array(path: Path):
    array = zarr.open_array(str(path.parent), mode="r")
    chunks = [file for file in path.parent.rglob("*") if file.is_file() and file.name.isdecimal()]
    assert len(chunks) == array.nchunks, f"{path.parent} is not whole"
    yield (
        path.parent,
        f"{array.shape} {array.dtype} {dict(array.attrs)}".encode() + array[...].tobytes(),
    )


def _rows(path: Path):
    step, ledger = load_step(path.parent), read_ledger(path.parent)
    assert ledger.done.tolist() == list(range(len(step.grid))), f"{path.parent} is not whole"
    content = ledger.records["digest"].tobytes() + ledger.records["count"].tobytes()
    rows = (
        []
        if step.rows is None
        else [ledger.block_rows(index, step.rows).tobytes() for index in range(len(step.grid))]
    )
    yield path.parent, content + b"".join(rows)


def _table(path: Path):
    for table in sorted(path.parent.glob("*.npy")):
        yield table, np.load(table).tobytes()


def _weights(path: Path):
    weights = torch.load(path, weights_only=True)["model"]
    yield (
        path,
        b"".join(name.encode() + weights[name].numpy().tobytes() for name in sorted(weights)),
    )


def _scores(path: Path):
    content = json.loads(path.read_bytes())
    # who did the blocks is no score, nor when the files were written that it is made from
    aside = ("segment", "evaluate", "made_from")
    scores = {key: value for key, value in content.items() if key not in aside}
    yield path, json.dumps(scores).encode()
