"""Labels at nodes and split edges by segmentation-skeleton-metrics 5.9.14.

Its run lengths end in an error where a label holds a piece without length, and so does a folder of
SWC files: a ZIP of them is read.

Usage: skeleton_metrics.py swc.zip array.zarr; prints CPU and wall seconds, the number of nodes
and of labels at them, as JSON.
"""

import json
import sys
import time
from collections.abc import Sequence

import numpy as np
import tensorstore
from numpy.typing import NDArray
from segmentation_skeleton_metrics.datamodules.graph_loading import DataLoader
from segmentation_skeleton_metrics.skeleton_metrics import SplitEdgePercentMetric
from segmentation_skeleton_metrics.utils.img_util import Image


class Local(Image):  # type: ignore[misc]
    """A zarr array (z, y, x) on this machine, as the package opens those of a cloud."""

    def _load_image(self) -> None:
        store = {"driver": "file", "path": self.img_path}
        pool = {"cache_pool": {"total_bytes_limit": 1_000_000_000}}
        opened = tensorstore.open({"driver": "zarr", "kvstore": store, "context": pool})
        self.img = opened.result()[tensorstore.newaxis, tensorstore.newaxis]

    def read(self, voxel: Sequence[int], shape: Sequence[int]) -> NDArray[np.uint64]:
        labels: NDArray[np.uint64] = super().read(voxel, shape).read().result()
        return labels


def main() -> None:
    image = Local(sys.argv[2])
    start, wall = time.process_time(), time.perf_counter()
    graphs = DataLoader(verbose=False).load_groundtruth(sys.argv[1], image)
    read, read_wall = time.process_time() - start, time.perf_counter() - wall
    start = time.process_time()
    SplitEdgePercentMetric(verbose=False)(graphs)
    scored = time.process_time() - start
    labels = [label for graph in graphs.values() for label in graph.node_label]
    print(
        json.dumps(
            {
                "read": read,
                "read, wall": read_wall,
                "scored": scored,
                "nodes": len(labels),
                "labels": len(set(labels)),
            }
        )
    )


main()
