"""The table of located objects, and the files that hold it."""

import csv
import sys

import numpy as np
import pytest

from lsd.objects.located import Located
from lsd.objects.tables import check_writable, read_located, write_located

NAMES = ("id", "point", "begin", "end", "voxels", "volume", "confidence")


def table(count=3, dims=3):
    rng = np.random.default_rng(count)
    begin = rng.uniform(-1e6, 1e6, (count, dims))
    end = begin + rng.uniform(100, 5000, (count, dims))
    point = begin + (end - begin) * rng.uniform(0.1, 0.9, (count, dims))
    number = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(2**60 + 1)
    return Located(
        number, point, begin, end, rng.integers(1, 2**40, count), rng.uniform(1, 9, count),
        rng.uniform(0, 1, count),
    )  # fmt: skip


def columns(located):
    return {name: getattr(located, name) for name in NAMES}


def same(one, other):
    for name in NAMES:
        first, second = getattr(one, name), getattr(other, name)
        assert first.dtype == second.dtype, name
        assert np.array_equal(first, second), name


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_read_again(tmp_path, ending, count, dims):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    located = table(count, dims)
    assert located.dims == dims
    write_located(located, tmp_path / f"cells.{ending}")
    same(read_located(tmp_path / f"cells.{ending}"), located)
    assert [path.name for path in tmp_path.iterdir()] == [f"cells.{ending}"]


def test_a_csv_is_read_by_others(tmp_path):
    located = table()
    write_located(located, tmp_path / "cells.csv")
    rows = list(csv.DictReader((tmp_path / "cells.csv").open(newline="")))
    assert [int(row["id"]) for row in rows] == located.id.tolist()
    assert [float(row["end_y_nm"]) for row in rows] == located.end[:, 1].tolist()
    assert [float(row["z_nm"]) for row in rows] == located.point[:, 0].tolist()


def test_a_parquet_file_is_read_by_others(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    located = table()
    write_located(located, tmp_path / "cells.parquet")
    read = parquet.read_table(tmp_path / "cells.parquet").to_pydict()
    assert read["id"] == located.id.tolist()
    assert read["begin_x_nm"] == located.begin[:, 2].tolist()
    assert read["volume_um3"] == located.volume.tolist()


def test_columns_of_others_are_passed_over_in_any_order(tmp_path):
    located = table()
    write_located(located, tmp_path / "cells.csv")
    rows = list(csv.reader((tmp_path / "cells.csv").open(newline="")))
    turned = [
        ["who", *row[::-1]] if n == 0 else ["me, you", *row[::-1]] for n, row in enumerate(rows)
    ]
    with (tmp_path / "turned.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(turned)
    same(read_located(tmp_path / "turned.csv"), located)


def test_parquet_is_refused_in_words_where_pyarrow_is_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for attempt in (
        lambda: check_writable(tmp_path / "cells.parquet"),
        lambda: write_located(table(), tmp_path / "cells.parquet"),
    ):
        with pytest.raises(ValueError, match="pyarrow, which is not installed: pip install"):
            attempt()
    check_writable(tmp_path / "cells.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,z_nm\n1,2\n", "it has no column y_nm, x_nm, begin_z_nm"),
        ("", "it has no column"),
    ],
)
def test_missing_columns_are_named(tmp_path, text, words):
    (tmp_path / "cells.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_located(tmp_path / "cells.csv")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("z_nm", "near", "line 3: z_nm is 'near', which is no number"),
        ("id", "1.5", "line 3: id is '1.5', which is no whole number"),
        ("voxels", "-3", "voxels has numbers below 0"),
        ("confidence", "1.5", "confidence is not in 0..1: 2305843009213693954"),
    ],
)
def test_what_is_no_number_is_told_by_its_line(tmp_path, column, value, words):
    path = tmp_path / "cells.csv"
    write_located(table(), path)
    rows = list(csv.reader(path.open(newline="")))
    rows[2][rows[0].index(column)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(ValueError, match=words):
        read_located(path)


def test_empty_lines_are_counted(tmp_path):
    path = tmp_path / "cells.csv"
    write_located(table(), path)
    head, *rows = path.read_text().splitlines()
    wrong = rows[1].replace(",", ",?", 1)
    path.write_text("\n".join([head, rows[0], "", wrong, rows[2], ""]))
    with pytest.raises(ValueError, match=r"line 4: z_nm is '\?"):
        read_located(path)
    path.write_text("\n".join([head, "", *rows, ""]))
    same(read_located(path), table())


def test_a_file_of_another_ending_or_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"called \.csv or \.parquet, got 'cells.xlsx'"):
        write_located(table(), tmp_path / "cells.xlsx")
    with pytest.raises(ValueError, match="there is no table"):
        read_located(tmp_path / "cells.csv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": [1, 1, 2]}, "ids that are there twice: 1; give each once"),
        ({"id": [0, 1, 2]}, "ids of background: 0; objects are numbered from 1"),
        ({"id": [1.0, 2.0, 3.0]}, "ids must be whole numbers"),
        ({"point": np.zeros((3, 3))}, "point lies outside of their box"),
        ({"end": np.full((3, 3), np.nan)}, "objects without a place"),
        ({"voxels": [1, 0, 2]}, "objects without a voxel"),
        ({"volume": [1, 0, 2]}, "objects without a volume"),
        ({"confidence": [0, np.nan, 1]}, "confidence is not in 0..1"),
        ({"begin": np.zeros((2, 3))}, r"begin has shape \(2, 3\); wanted: \(3, 3\)"),
        ({"voxels": [1, 2]}, r"voxels has shape \(2,\)"),
    ],
)
def test_tables_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Located(**(columns(table()) | changes))


def test_rows_are_chosen_and_stay_as_they_are():
    located = table(7)
    assert located.chosen(located.voxels > 0).id.tolist() == located.id.tolist()
    assert located.chosen([4, 1]).id.tolist() == located.id[[4, 1]].tolist()
    near = located.within(located.begin[2], located.end[2])
    assert located.id[2] in near.id
    assert ((near.point >= located.begin[2]) & (near.point < located.end[2])).all()
    with pytest.raises(ValueError, match="read-only"):
        located.point[0] = 0
