"""Counts of pairs by the C++ file of the package malis 1.0, compiled here.

Usage: malis_pairs.py volume.npz folder; the volume holds affs (c, z, y, x), labels and
neighborhood.  Prints CPU seconds of both passes and the sum of each, positive first, as JSON.
Needs g++ and network access.
"""

import ctypes
import hashlib
import json
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARCHIVE = (
    "https://files.pythonhosted.org/packages/a3/01/"
    "d9c87e5e04c45894f6c595a6dcc8b1c5ab4ad2da6b7e53029dd45e3c4d04/malis-1.0.tar.gz"
)
SHA256 = "5c5f39612d9b97d9f29ba0db6bae57c545cbf785f20bd098330d16ec694b933f"
# a name that C can find
SHIM = """
#include "malis_cpp.cpp"
extern "C" void pairs(int n, const uint64_t* labels, int m, const uint64_t* first,
                      const uint64_t* second, const float* affs, int positive, uint64_t* counts) {
    malis_loss_weights_cpp(n, labels, m, first, second, affs, positive, counts);
}
"""


def main() -> None:
    volume, folder = np.load(sys.argv[1]), Path(sys.argv[2])
    library, edges = built(folder), edges_of(volume)
    seconds, sums = 0.0, []
    for positive in (1, 0):
        counts, taken = counted(library, volume["labels"], *edges, positive=positive)
        seconds += taken
        sums.append(int(counts.sum()))
    print(json.dumps({"seconds": seconds, "sums": sums}))


def built(folder: Path) -> ctypes.CDLL:
    data = urllib.request.urlopen(ARCHIVE, timeout=60).read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit(f"{ARCHIVE} is another file than it was")
    (folder / "malis.tar.gz").write_bytes(data)
    with tarfile.open(folder / "malis.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    source = folder / "malis-1.0" / "malis"
    (source / "shim.cpp").write_text(SHIM)
    headers = next(Path(sys.prefix).glob("lib/python*/site-packages/cmeel.prefix/include"))
    options = ["-O3", "-w", "-std=c++14", "-shared", "-fPIC", f"-I{headers}"]
    command = ["g++", *options, "shim.cpp", "-o", "shim.so"]
    subprocess.run(command, cwd=source, check=True)
    return ctypes.CDLL(str(source / "shim.so"))


def edges_of(volume: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Both ends, affinity, and whether it is inside an object, of each edge."""
    affs, labels = volume["affs"], volume["labels"]
    places = np.arange(labels.size, dtype=np.uint64).reshape(labels.shape)
    columns = []
    for channel, offset in zip(affs, volume["neighborhood"].tolist(), strict=True):
        pairs = list(zip(labels.shape, offset, strict=True))
        one = tuple(slice(max(0, -k), n - max(0, k)) for n, k in pairs)
        other = tuple(slice(max(0, k), n - max(0, -k)) for n, k in pairs)
        inside = (labels[one] == labels[other]) & (labels[one] > 0)
        columns.append([a.ravel() for a in (places[one], places[other], channel[one], inside)])
    return [np.concatenate(arrays) for arrays in zip(*columns, strict=True)]


def counted(
    library: ctypes.CDLL,
    labels: NDArray[np.uint64],
    first: NDArray[np.uint64],
    second: NDArray[np.uint64],
    affs: NDArray[np.float32],
    inside: NDArray[np.bool_],
    *,
    positive: int,
) -> tuple[NDArray[np.uint64], float]:
    forced = np.where(inside, affs, 0) if positive else np.where(inside, 1, affs)
    counts = np.zeros(len(first), np.uint64)
    weights = forced.astype(np.float32)
    arrays: list[NDArray[Any]] = [labels.ravel(), first, second, weights, counts]
    ids, one, other, affinities, out = (ctypes.c_void_p(array.ctypes.data) for array in arrays)
    begin = time.process_time()
    library.pairs(labels.size, ids, len(first), one, other, affinities, positive, out)
    taken = time.process_time() - begin
    return counts[inside == bool(positive)], taken


main()
