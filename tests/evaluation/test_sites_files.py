"""Error sites in evaluation.json and in the table beside it."""

import csv
import json

import pytest

from lsd.evaluation.error_sites.sites import COLUMNS, Site, as_list, read_sites, write_csv

SITES = {
    "a": [
        Site("split", (7, 2**64 - 1), (3,), (20, 400), 0.25, 12, (4.0, 8.0, 12.5)),
        Site("merge", (7,), (4, 3), (9, 380), 0.125, 0, (4.0, 8.0, 12.5)),
    ],
    "plane": [Site("merge", (1,), (2, 1), (5, 6), 0.5, 3, (1.5, 2.5))],
}


def test_they_are_read_as_they_were_written(tmp_path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"threshold": 0.5, "sites": as_list(SITES)}))
    assert read_sites(path) == SITES
    path.write_text(json.dumps({"threshold": 0.5}))
    assert read_sites(path) == {}, "as versions of before wrote it"


def test_a_file_that_holds_none_is_refused_in_words(tmp_path) -> None:
    path = tmp_path / "evaluation.json"
    for content in ("{", "[]", '{"sites": [{"volume": "a"}]}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"error sites of .* evaluate the run again"):
            read_sites(path)


def test_the_table_has_a_row_for_each(tmp_path) -> None:
    write_csv(SITES, tmp_path / "evaluation_sites.csv")
    with (tmp_path / "evaluation_sites.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    split, merge, plane = rows
    assert split == {
        "volume": "a", "kind": "split", "bits": "0.25", "segment": "7",
        "other_segment": str(2**64 - 1), "truth": "3", "other_truth": "", "voxels": "20",
        "other_voxels": "400", "contact": "12", "z_nm": "4.0", "y_nm": "8.0", "x_nm": "12.5",
    }  # fmt: skip
    assert (merge["segment"], merge["other_segment"]) == ("7", "")
    assert (merge["truth"], merge["other_truth"]) == ("4", "3")
    assert (plane["volume"], plane["z_nm"], plane["y_nm"]) == ("plane", "", "1.5")
