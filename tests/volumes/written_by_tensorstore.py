"""Arrays as tensorstore writes them, which is started apart: a process that used it cannot fork."""

import json
import subprocess
import sys

import numpy as np
import pytest

WRITE = """
import json, sys
import numpy as np, tensorstore as ts
for spec, values, parts in json.load(open(sys.argv[1])):
    values = np.load(values)
    store = ts.open(spec, create=True, open=False).result()[ts.d[:].translate_to[0]]
    for part in parts:
        part = tuple(slice(*bounds) for bounds in part)
        store[part] = values[part].astype(store.dtype.numpy_dtype)
"""


def write(folder, arrays) -> None:
    """arrays: a spec without a place, values on disk, and the parts of them that are written, in
    a dict by name."""
    pytest.importorskip("tensorstore")
    tasks = []
    for name, (spec, values, parts) in arrays.items():
        np.save(folder / f"{name}.npy", values)
        place = {"kvstore": {"driver": "file", "path": str(folder / name)}}
        tasks.append([spec | place, str(folder / f"{name}.npy"), parts])
    (folder / "tasks.json").write_text(json.dumps(tasks))
    subprocess.run([sys.executable, "-c", WRITE, str(folder / "tasks.json")], check=True)


def everything(values):
    return [[[0, n] for n in values.shape]]


def numbers(shape, dtype="u1", seed=0):
    """Numbers of the whole range of a type."""
    bits = np.random.default_rng(seed).integers(0, 256, (*shape, np.dtype(dtype).itemsize), "u1")
    if np.dtype(dtype).kind == "b":
        return bits[..., 0] > 127
    if np.dtype(dtype).kind == "f":
        return np.random.default_rng(seed).normal(0, 100, shape).astype(dtype)
    return bits.view(dtype)[..., 0]


def any_parts(shape):
    """Slices, and single voxels."""
    rng = np.random.default_rng(1)
    for _ in range(12):
        bounds = [sorted(rng.integers(0, n + 1, 2)) for n in shape]
        some = [slice(int(begin), int(end)) for begin, end in bounds]
        one = int(rng.integers(len(shape)))
        yield tuple(some)
        yield (*some[:one], int(rng.integers(shape[one])), *some[one + 1 :])
