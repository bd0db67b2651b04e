"""Where located objects lie and how large they are, counted by hand."""

import csv

import numpy as np
import pytest

from lsd.objects.distribution import COLUMNS, distribution, write_distribution
from lsd.objects.located import Located


def located(points, volumes) -> Located:
    points = np.asarray(points, float)
    count = len(points)
    return Located(
        id=np.arange(1, count + 1, dtype=np.uint64),
        point=points,
        begin=points - 100,
        end=points + 100,
        voxels=np.full(count, 5, np.uint64),
        volume=np.asarray(volumes, float),
        confidence=np.ones(count),
    )


def rows(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


BEGIN, END = (0, 0, 0), (10_000, 20_000, 40_000)
SOME = located(
    [(500, 1000, 1000), (500, 19_000, 39_000), (9500, 1000, 1000), (20_000, 0, 0)],
    [1.0, 10.0, 100.0, 1000.0],
)


def test_densities_and_sizes_by_hand() -> None:
    found = distribution(SOME, begin=BEGIN, end=END, bins=2)
    # 10 x 20 x 40 um in mm3, and half of it in each slab
    space = 0.01 * 0.02 * 0.04
    assert found.density == pytest.approx(3 / space)
    assert [along.axis for along in found.densities] == ["z", "y", "x"]
    assert [along.objects.tolist() for along in found.densities] == [[2, 1], [2, 1], [2, 1]]
    np.testing.assert_allclose(found.densities[0].density, [2 / (space / 2), 1 / (space / 2)])
    np.testing.assert_allclose(found.densities[2].edges, [0, 20_000, 40_000])
    # the fourth lies outside, and its size with it
    assert found.outside == 1
    assert found.sizes.tolist() == [1, 10, 100]
    np.testing.assert_allclose(found.edges, [1, 10, 100])
    assert found.counts.tolist() == [1, 2]
    assert "3 objects in 8e-06 mm3: 3.75e+05 per mm3; median 10 um3" in str(found)
    assert "1 outside of the region" in str(found)


@pytest.mark.parametrize("bins", [1, 3, 20])
def test_every_object_is_counted_once(bins) -> None:
    rng = np.random.default_rng(bins)
    many = located(rng.uniform(BEGIN, END, (500, 3)), rng.lognormal(3, 1, 500))
    found = distribution(many, begin=BEGIN, end=END, bins=bins)
    assert all(along.objects.sum() == 500 for along in found.densities)
    assert found.counts.sum() == 500
    for along in found.densities:
        slabs = np.floor(
            (many.point[:, "zyx".index(along.axis)]) / (along.edges[-1] / bins)
        ).astype(int)
        np.testing.assert_array_equal(along.objects, np.bincount(slabs, minlength=bins))
        assert (along.objects / along.density * bins)[along.objects > 0] == pytest.approx(8e-6)


def test_without_a_region_it_is_the_box_of_all_objects() -> None:
    found = distribution(SOME, bins=1)
    assert found.outside == 0
    assert [along.edges.tolist() for along in found.densities] == [
        [400, 20_100],
        [-100, 19_100],
        [-100, 39_100],
    ]


def test_planes_have_areas() -> None:
    flat = located(np.ones((2, 2)) * 500, [3.0, 3.0])
    found = distribution(flat, begin=(0, 0), end=(1000, 1000), bins=4)
    assert [along.axis for along in found.densities] == ["y", "x"]
    assert found.density == pytest.approx(2 / 1e-6)
    # one size alone lies in a range
    assert found.counts.sum() == 2
    assert "per mm2" in str(found)


def test_the_csv_says_what_was_found(tmp_path) -> None:
    found = distribution(SOME, begin=BEGIN, end=END, bins=2)
    write_distribution(found, tmp_path / "d.csv")
    table = rows(tmp_path / "d.csv")
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 8
    first = table[0]
    assert (first["what"], first["axis"], first["unit"], first["objects"]) == (
        "density",
        "z",
        "um",
        "2",
    )
    assert float(first["end"]) == 5
    assert float(first["density"]) == pytest.approx(2 / 4e-6)
    assert first["density_unit"] == "1/mm3"
    sizes = [row for row in table if row["what"] == "size"]
    assert [row["objects"] for row in sizes] == ["1", "2"]
    assert [float(row["end"]) for row in sizes] == pytest.approx([10, 100])
    assert {row["unit"] for row in sizes} == {"um3"}


def test_nothing_and_nonsense() -> None:
    none = located(np.zeros((0, 3)), [])
    found = distribution(none, begin=BEGIN, end=END)
    assert found.density == 0
    assert str(found).startswith("0 objects")
    with pytest.raises(ValueError, match="give begin and end"):
        distribution(none)
    with pytest.raises(ValueError, match=r"region goes from.*begin below end"):
        distribution(SOME, begin=END, end=BEGIN)
    with pytest.raises(ValueError, match="bins are 0"):
        distribution(SOME, bins=0)
