"""What blocks cost: bookkeeping, a simulated petabyte, a second worker, memory and speed of
segmentation.

$LSD_BENCHMARK_SCALE: 1 (everything, about a quarter of an hour on two idle cores, 5 GB on disk) or
less, e.g. 0.01 $LSD_BENCHMARK_PARTS: some of scheduling, petabyte, whole, workers, volume; default:
all
"""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Any

PARTS = ("scheduling", "petabyte", "whole", "workers", "volume")


def run() -> dict[str, Any]:
    """What each part measured.  ratio: one Parquet file a block over our ledger, in CPU seconds to
    write and read edges; error: of the first part that failed."""
    scale = float(os.environ.get("LSD_BENCHMARK_SCALE", "1"))
    parts = os.environ.get("LSD_BENCHMARK_PARTS", ",".join(PARTS)).split(",")
    results: dict[str, Any] = {} if scale == 1 else {"scale": scale}
    for part in parts:
        print(f"  {part} ...", flush=True)
        try:
            results |= importlib.import_module(f"benchmarks.scale.{part}").run(scale)
        except Exception as error:
            # the others take minutes, too
            traceback.print_exc()
            results.setdefault("error", f"{part}: {type(error).__name__}: {error}")
    return results


def main() -> None:
    """Prints what was measured."""
    for name, value in run().items():
        print(f"{name:48} {value if isinstance(value, (str, int)) else format(value, '10.4g')}")
