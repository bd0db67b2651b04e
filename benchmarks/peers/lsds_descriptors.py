"""Descriptors by lsds; run by benchmarks.descriptors in an environment that has it.

python lsds_descriptors.py labels.npy sigma voxel_size downsample repeats descriptors.npy: prints
each run's seconds as JSON.
"""

import json
import sys
import time

import numpy as np
from lsd.train.local_shape_descriptor import get_local_shape_descriptors  # of lsds


def main() -> None:
    path, sigma, voxel_size, downsample, repeats, output = sys.argv[1:]
    labels, seconds = np.load(path), []
    for _ in range(int(repeats)):
        begin = time.perf_counter()
        lsds = get_local_shape_descriptors(
            labels,
            sigma=(float(sigma),) * 3,
            voxel_size=(int(voxel_size),) * 3,
            downsample=int(downsample),
        )
        seconds.append(time.perf_counter() - begin)
    np.save(output, lsds)
    print(json.dumps(seconds))


main()
