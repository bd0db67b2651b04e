"""Precision and recall of suspected places, by hand."""

import pytest

from lsd.evaluation.error_map.finding import found_sites
from lsd.evaluation.error_map.suspects import Suspect
from lsd.evaluation.error_sites.sites import Site

SITES = [
    Site("split", (1, 2), (9,), (5, 50), 0.6, 3, (0.0, 0.0, 0.0)),
    Site("merge", (3,), (8, 7), (5, 50), 0.3, 3, (0.0, 0.0, 100.0)),
    Site("merge", (1,), (9, 7), (5, 50), 0.1, 3, (0.0, 40.0, 0.0)),
]


def suspect(segment, *place):
    return Suspect(segment, 0.5, 10, place)


def test_first_suspects_count_first() -> None:
    suspects = [
        suspect(2, 0.0, 10.0, 0.0),   # the first site
        suspect(4, 0.0, 0.0, 100.0),  # of another segment than is merged there
        suspect(1, 0.0, 20.0, 0.0),   # the first again, and the third
        suspect(3, 0.0, 0.0, 131.0),  # too far away
    ]  # fmt: skip
    found = found_sites(suspects, SITES, near=30.0)
    assert found.hits.tolist() == [1, 1, 2, 2]
    assert found.sites.tolist() == [1, 1, 2, 2]
    assert [found.precision(n) for n in (1, 2, 3, 4, 100)] == [1, 0.5, 2 / 3, 0.5, 0.5]
    assert [found.recall(n) for n in (1, 3)] == [1 / 3, 2 / 3]
    assert found.recall_of_bits(1) == pytest.approx(0.6)
    assert found.recall_of_bits(4) == pytest.approx(0.7)
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.as_dict((2,))["at"]["2"]["precision"] == 0.5
    assert found_sites(suspects, SITES, near=31.0).hits.tolist() == [1, 1, 2, 3]


def test_of_nothing_all_is_undefined_and_nothing_is_found_by_nobody() -> None:
    none = found_sites([], SITES, near=30.0)
    assert (none.precision(5), none.recall(5), none.average_precision) == (None, 0, None)
    clean = found_sites([suspect(1, 0.0, 0.0, 0.0)], [], near=30.0)
    assert (clean.precision(1), clean.recall(1), clean.recall_of_bits(1)) == (0, None, None)
