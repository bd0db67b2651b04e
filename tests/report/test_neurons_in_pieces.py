"""Neurons whose pieces are scored as objects: tables and page name the labels of the file, too."""

import csv
from collections import Counter

import numpy as np
import pytest
from page_reader import read_page
from reported_run import ROI, VOLUMES, make_config, truth
from scipy import ndimage

from lsd.evaluation.run import evaluate
from lsd.report.neurons import neurons_file, read_neurons, write_neurons
from lsd.report.page.write import write_report
from lsd.segmentation.run import segment
from lsd.spec.paths import sites_file
from lsd.volumes.array import open_array

# of the upper left and the lower right quarter, and of the others
LABELS = (2**64 - 1, 2**64 - 3)
COLUMNS = ["volume", "truth", "label", "voxels"]


def in_the_file():
    quarters = truth()
    ids = np.unique(quarters)
    new = np.array([0, LABELS[0], LABELS[1], LABELS[1], LABELS[0]], np.uint64)
    return new[np.searchsorted(ids, quarters)]


def pieces(labels):
    """Label, and voxels, of each piece."""
    for label in LABELS:
        numbered, count = ndimage.label(labels == label, np.ones((3, 3, 3)))
        for number in range(1, count + 1):
            yield label, int((numbered == number).sum())


def made(folder, **settings):
    config = make_config(folder).derive(evaluate=settings)
    open_array(folder / "v.zarr", "labels", writable=True).write(in_the_file(), ROI)
    segment(config, progress=lambda _: None)
    evaluation = evaluate(config, progress=lambda _: None)
    write_neurons(config, evaluation)
    return config, evaluation


@pytest.fixture(scope="module")
def connected(tmp_path_factory):
    return made(tmp_path_factory.mktemp("connected"), connected=True)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def shown(config):
    [section] = read_page(write_report(config).read_text()).find("section", id="neurons")
    tables = section.find("table")
    headings = [[th.text for th in table.find("thead")[0].find("th")] for table in tables]
    cells = [[td.text for td in row.find("td")] for row in tables[0].find("tr")[1:]]
    return headings, cells, section.text


def test_the_table_names_the_label_of_each_piece(connected) -> None:
    config, evaluation = connected
    rows = rows_of(neurons_file(config))
    assert list(rows[0])[:4] == COLUMNS
    # v_test is the part of it up to y = 20
    for volume, labels in zip(VOLUMES, (in_the_file(), in_the_file()[:, :20]), strict=True):
        own = [row for row in rows if row["volume"] == volume]
        assert Counter((int(row["label"]), int(row["voxels"])) for row in own) == Counter(
            pieces(labels)
        )
        assert sorted(int(row["truth"]) for row in own) == [1, 2, 3, 4]
        assert {int(row["label"]) for row in own} == {*LABELS}
    # by which sites, which name labels, are found in it
    sites = rows_of(sites_file(config))
    assert {int(row["truth"]) for row in sites} <= {*LABELS}
    assert {row["truth"] for row in sites} <= {row["label"] for row in rows}
    assert sites
    read = read_neurons(config)["v_validate"]
    assert [(each.object, each.label) for each in read] == [
        (int(row["truth"]), int(row["label"])) for row in rows if row["volume"] == "v_validate"
    ]
    assert evaluation.volumes["v_test"].labels.dtype == np.uint64


def test_the_page_shows_the_label_beside_the_piece(connected) -> None:
    config, _ = connected
    headings, cells, _ = shown(config)
    assert all(each[:3] == ["neuron", "label", "voxels"] for each in headings)
    wanted = [row for row in rows_of(neurons_file(config)) if row["volume"] == "v_validate"]
    assert [each[:2] for each in cells] == [[row["truth"], row["label"]] for row in wanted]


def without_labels(config):
    """The table as earlier versions wrote it."""
    rows = rows_of(neurons_file(config))
    with neurons_file(config).open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "label"])
        writer.writeheader()
        writer.writerows({n: value for n, value in row.items() if n != "label"} for row in rows)


def test_a_table_of_before_is_read_and_what_it_lacks_is_said(connected) -> None:
    config, evaluation = connected
    without_labels(config)
    assert all(row.label is None for row in read_neurons(config)["v_test"])
    headings, cells, text = shown(config)
    assert all(each[:2] == ["neuron", "voxels"] for each in headings)
    assert sorted(each[0] for each in cells) == ["1", "2", "3", "4"]
    assert "did not say what labels of the file these pieces are of; evaluate again" in text
    write_neurons(config, evaluation)
    assert "evaluate again" not in shown(config)[2]


def test_where_objects_are_labels_both_are_one(tmp_path) -> None:
    config, evaluation = made(tmp_path)
    rows = rows_of(neurons_file(config))
    assert list(rows[0])[:4] == COLUMNS
    assert {(row["truth"], row["label"]) for row in rows} == {(str(n), str(n)) for n in LABELS}
    assert evaluation.volumes["v_test"].labels is None
    headings, _, _ = shown(config)
    assert all(each[:2] == ["neuron", "voxels"] for each in headings)
    written = read_neurons(config)
    without_labels(config)
    assert read_neurons(config) == written
