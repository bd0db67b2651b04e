"""The usual recipe for fragments: scipy's distance transform and maximum filter, mahotas'
watershed.

Usage: usual_fragments.py foreground.npy min_seed_distance repeats fragments.npy; prints the fastest
run as JSON, CPU seconds.
"""

import json
import sys
import time
from typing import Any

import mahotas
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def main() -> None:
    foreground, distance, repeats, output = (
        np.load(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4],
    )
    runs = [fragments(foreground, distance) for _ in range(repeats)]
    np.save(output, runs[0][0].astype(np.uint64))
    print(json.dumps(min((times for _, times in runs), key=lambda times: sum(times.values()))))


def fragments(
    foreground: NDArray[np.bool_], distance: int
) -> tuple[NDArray[np.integer[Any]], dict[str, float]]:
    start = time.process_time()
    inside = ndimage.distance_transform_edt(foreground)
    middle = time.process_time()
    seeds, _ = ndimage.label(ndimage.maximum_filter(inside, distance) == inside)
    seeded = time.process_time()
    labels = mahotas.cwatershed(inside.max() - inside, seeds)
    return labels, {
        "distance": middle - start,
        "seeds": seeded - middle,
        "flooding": time.process_time() - seeded,
    }


main()
