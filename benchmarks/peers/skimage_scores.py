"""Variation of information and Rand error by scikit-image.

Usage: skimage_scores.py segmentation.npy truth.npy repeats; prints scores and the fastest run's CPU
seconds as JSON.
"""

import json
import sys
import time

import numpy as np
from skimage.metrics import adapted_rand_error, variation_of_information


def main() -> None:
    segmentation, truth, repeats = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        split, merge = variation_of_information(truth, segmentation)
        rand, _, _ = adapted_rand_error(truth, segmentation, ignore_labels=())
        seconds.append(time.process_time() - start)
    print(
        json.dumps(
            {
                "split": float(split),
                "merge": float(merge),
                "arand": float(rand),
                "seconds": min(seconds),
            }
        )
    )


main()
