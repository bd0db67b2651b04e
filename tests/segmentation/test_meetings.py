"""At which height two fragments first share a region, against joining them one after another."""

import numpy as np
import pytest

from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.kernels.meetings import meetings
from lsd.spec import NEAREST


@pytest.mark.parametrize("seed", range(10))
def test_against_joining_one_after_another(seed) -> None:
    """Heights that fall below an earlier one count as that."""
    rng = np.random.default_rng(seed)
    count = 12
    region = list(range(count))
    merges, heights, expected, highest = [], [], {}, 0.0
    while len(set(region)) > 2:
        u, v = (int(i) for i in rng.integers(0, count, 2))
        if region[u] == region[v]:
            continue
        merges.append((u, v))
        heights.append(float(np.float32(rng.random())))
        highest = max(highest, heights[-1])
        region = [region[u] if r == region[v] else r for r in region]
        for a in range(count):
            for b in range(a):
                if region[a] == region[b]:
                    expected.setdefault((b, a), highest)
    edges = np.array([(b, a) for a in range(count) for b in range(a)])
    found = meetings(count, np.array(merges), np.array(heights, np.float32), edges)
    assert found.tolist() == [expected.get(tuple(edge), np.inf) for edge in edges.tolist()]
    assert (np.diff(heights) < 0).any()


@pytest.mark.filterwarnings("ignore:offset")
def test_far_affinities_may_say_more_once_regions_grew() -> None:
    """1 and 2 join at 0.4; what reaches over 2 to 3 is sure, so that the three join at a lower
    height: it counts as 0.4."""
    labels = np.array([[[1, 1, 2, 3, 3]]], np.uint64)
    affs = np.zeros((4, 1, 1, 5), np.float32)
    affs[2:, 0, 0, 2] = 0.6
    affs[2, 0, 0, 3] = affs[3, 0, 0, 4] = 0.55
    affs[3, 0, 0, 3] = 1.0
    edges, scores = agglomerate(
        affs, labels, neighborhood=(*NEAREST, (0, 0, -2)), scoring="mean_all"
    )
    assert edges.tolist() == [[1, 2], [2, 3]]
    assert scores.tolist() == pytest.approx([0.4, 0.4])
