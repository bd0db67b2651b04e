"""The page of a run: numbers are those of the JSON, sections those on disk, nothing is asked for
elsewhere."""

import base64
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from matplotlib.image import imread
from page_reader import at, data, numbers, outside, read_page
from reported_run import FIRST, ROI, VOLUMES, make, make_config

from lsd.evaluation.partition import compare
from lsd.report.colours import colours
from lsd.report.page.one_run import _no_sites
from lsd.report.page.skeletons import skeletons
from lsd.report.page.write import write_report
from lsd.report.recorded import Recorded, read_recorded
from lsd.segmentation.results import open_results
from lsd.segmentation.run import segment
from lsd.spec.paths import config_file, evaluation_file, prediction, segmentation, usage_file
from lsd.volumes import array as arrays
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run):
    _, _, written = run
    return read_page(written.read_text(encoding="utf-8"))


def test_numbers_are_those_of_the_json(run, page) -> None:
    config, _, _ = run
    scores = json.loads(evaluation_file(config).read_text())
    read = numbers(page)
    for pointer, text in read.items():
        value = at(scores, pointer)
        shown = f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"
        assert text == shown, pointer
    for volume in VOLUMES:
        for name in ("voi_split", "voi_merge", "voi_sum", "arand", "cremi"):
            assert f"/volumes/{volume}/scores/{name}" in read
            for threshold in ("0.2", "0.5", "0.9"):
                assert f"/volumes/{volume}/sweep/{threshold}/{name}" in read
    assert "/parts/test/voi_sum" in read


def test_curves_are_those_of_the_json(run, page) -> None:
    config, _, _ = run
    scores = json.loads(evaluation_file(config).read_text())
    [section] = page.find("section", id="thresholds")
    charts = section.find("figure", class_="chart")
    assert len(charts) == len(VOLUMES)
    for chart, volume in zip(charts, scores["volumes"].values(), strict=True):
        sweep = volume["sweep"]
        lines = data(chart)["lines"]
        assert data(chart)["xs"] == [float(threshold) for threshold in sweep]
        for line, name in zip(lines, ("voi_sum", "voi_split", "voi_merge"), strict=False):
            assert line["ys"] == [values[name] for values in sweep.values()]
        assert f"picked {scores['threshold']:g}" in chart.text


def test_the_page_asks_for_nothing(page) -> None:
    assert outside(page) == []
    [policy] = [
        each
        for each in page.find("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy.attributes["content"]
    for script in page.find("script"):
        if script.attributes.get("type") != "application/json":
            assert not re.search(r"https?:|fetch|XMLHttpRequest|import\s*\(", script.text)
    for style in page.find("style"):
        assert not re.search(r"url\(|@import", style.text)


def test_sections_are_those_on_disk(run, page) -> None:
    config, evaluation, _ = run
    volume = open_volume(
        config.dataset.volumes()["v_validate"], name="v", data_root=Path(config.data_root)
    )
    content = data(page.find("div", class_="slices")[0])
    titles = content["titles"]
    assert titles == ["raw", "truth", "affinities", "descriptors", "segmentation"]
    assert [plane["name"] for plane in content["planes"]] == ["xy", "xz", "zy"]
    results = open_results(config, "v_validate")
    affs = open_array(prediction(config, "v_validate"), "affs")
    for plane in content["planes"]:
        axis = "zyx".index(plane["across"])
        for place, raw, truth, first, segments in zip(
            plane["voxels"], *(plane["pictures"][n] for n in (0, 1, 2, 4)), strict=True
        ):
            roi = _section(axis, place)
            grey = volume.read_raw(roi).take(0, axis=axis)
            _same(_decoded(raw), _upright(grey, axis)[..., None], 12)
            red = affs.read(roi)[0].take(0, axis=axis) / 255
            _same(_decoded(first)[..., 0], _upright(red, axis), 12)
            _labels(_decoded(truth), volume.read_labels(roi).take(0, axis=axis), axis)
            ids = results.read(roi, evaluation.threshold).take(0, axis=axis)
            found = _middles(_decoded(segments), _upright(ids, axis))
            # one colour an id, another for another
            assert len(found) == len(set(found.values())) == len(np.unique(ids))


def test_a_segment_that_is_mostly_one_neuron_has_its_colour(run, page) -> None:
    config, evaluation, _ = run
    content = data(page.find("div", class_="slices")[0])
    plane = content["planes"][0]
    roi = _section(0, plane["voxels"][0])
    ids = open_results(config, "v_validate").read(roi, evaluation.threshold)[0]
    shown = _middles(_decoded(plane["pictures"][4][0]), ids)
    truth = FIRST + 4  # below to the right, whole and alone
    [own] = set(np.unique(ids[20:, 24:]).tolist())
    np.testing.assert_allclose(shown[own], colours(np.array([truth]))[0], atol=0.01)


def test_only_sections_are_read(run, monkeypatch) -> None:
    """So a volume may be larger than memory: nothing that is read has two voxels along the axis
    that it is cut across, but for the window that decides what is shown."""
    config, _, _ = run
    sizes = []
    read = arrays.Array.read

    def noted(self, roi, **options):
        sizes.append(min(roi.shape))
        return read(self, roi, **options)

    monkeypatch.setattr(arrays.Array, "read", noted)
    write_report(config)
    assert sizes
    assert set(sizes) == {1}


def test_error_sites_have_pictures_and_words(run, page) -> None:
    config, _, _ = run
    sites = json.loads(evaluation_file(config).read_text())["sites"]
    of_first = [site for site in sites if site["volume"] == "v_validate"]
    [section] = page.find("section", id="error-sites")
    shown = section.find("li", class_="site")[: len(of_first)]
    assert {site["kind"] for site in of_first} == {"split", "merge"}
    for element, site in zip(shown, of_first, strict=False):
        assert site["kind"] in element.text
        assert all(str(one) in element.text for one in [*site["truth"], *site["segments"]])
        assert f"{site['bits']:.3f} bits" in element.text
        assert len(element.find("img")) == 3
    costs = [float(re.search(r"([\d.]+) bits", each.text)[1]) for each in shown]
    assert costs == sorted(costs, reverse=True), "worst first"


def test_a_row_for_each_neuron(run, page) -> None:
    config, evaluation, _ = run
    [section] = page.find("section", id="neurons")
    rows = section.find("table")[0].find("tr")[1:]
    assert {row.find("td")[0].text for row in rows} == {str(FIRST + n) for n in (1, 2, 3, 4)}
    volume = open_volume(
        config.dataset.volumes()["v_validate"], name="v", data_root=Path(config.data_root)
    )
    ids = open_results(config, "v_validate").read(ROI, evaluation.threshold)
    labels = volume.read_labels(ROI)
    for row in rows:
        cells = [cell.text.replace(",", "") for cell in row.find("td")]
        own = ids[labels == int(cells[0])]
        assert int(cells[1]) == len(own)
        assert int(cells[2]) == len(np.unique(own[own > 0]))
    split = sum(float(row.find("td")[7].attributes["data-sort"]) for row in rows)
    assert split == pytest.approx(compare(ids, labels).voi_split)


def test_scores_along_skeletons(run, page) -> None:
    config, _, _ = run
    scores = json.loads(evaluation_file(config).read_text())["skeletons"]["volumes"]["v_validate"]
    [section] = page.find("section", id="along-skeletons")
    read, at_ = numbers(section), "/skeletons/volumes/v_validate/scores"
    for tolerance in scores["scores"]["run_lengths"]:
        assert {f"{at_}/run_lengths/{tolerance}/{key}" for key in ("nerl", "erl")} <= set(read)
    assert {f"{at_}/edits/{key}" for key in ("mcm", "splits", "merges")} <= set(read)
    lengths, edits = (data(each) for each in section.find("figure", class_="chart"))
    first = next(iter(scores["scores"]["run_lengths"]))
    assert lengths["lines"][0]["ys"] == [
        values["run_lengths"][first]["nerl"] for values in scores["sweep"].values()
    ]
    assert edits["lines"][0]["ys"] == [
        values["edits"]["mcm"] for values in scores["sweep"].values()
    ]
    [table] = [each for each in section.find("table") if each.attributes.get("class") == "sortable"]
    rows = {row.find("td")[0].text: row for row in table.find("tr")[1:]}
    assert set(rows) == {str(FIRST + n) for n in (1, 2, 3, 4)}
    for each in scores["per_skeleton"]:
        cells = [cell.text for cell in rows[str(each["skeleton"])].find("td")]
        assert cells[1] == f"{each['length']:,.0f}"
        edges = [str(each[kind]) for kind in ("correct", "split", "merged", "omitted")]
        assert cells[-6:-2] == edges


def test_skeletons_in_pieces_are_noted(run, tmp_path) -> None:
    config, _, _ = run
    recorded = read_recorded(config)
    noted = {"skeletons": 2, "of": 4, "nerl": 0.5}
    written = {**recorded.evaluation, "skeletons_apart": {VOLUMES[0]: noted, "gone": noted}}
    shown = skeletons(replace(recorded, evaluation=written))
    assert f"{VOLUMES[0]}: 2 of 4 skeletons lie in pieces" in shown
    assert "gone" not in shown
    assert "in pieces" not in skeletons(recorded)


def test_what_steps_took_and_what_the_run_is(run, page) -> None:
    config, _, _ = run
    [section] = page.find("section", id="seconds-and-memory")
    noted = [json.loads(line) for line in usage_file(config).read_text().splitlines()]
    assert {each["step"] for each in noted} == {"segment", "evaluate"}
    assert all(step in section.text for step in ("segment", "evaluate", "iB"))
    text = page.text
    assert noted[0]["versions"]["numpy"] in text
    assert f"{config.data_root}/v.zarr" in text
    for name in ("H(segmentation | truth) in bits", "Segment 0 counts as one segment"):
        assert name in text


def test_a_run_that_was_not_evaluated_has_a_page(tmp_path) -> None:
    config = make_config(tmp_path)
    page = read_page(write_report(config).read_text(encoding="utf-8"))
    assert "Not evaluated yet" in page.text
    assert page.find("section", id="training")[0].find("figure", class_="chart")
    assert not page.find("section", id="scores")


def test_what_is_gone_is_said_in_its_place(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    scores = json.loads(evaluation_file(config).read_text())
    for name in VOLUMES:
        prediction(config, name).rename(prediction(config, name).with_suffix(".gone"))
    scores.pop("sites")
    evaluation_file(config).write_text(json.dumps(scores))
    usage_file(config).unlink()
    page = read_page(write_report(config).read_text(encoding="utf-8"))
    [sections] = page.find("section", id="sections")
    assert "no prediction of volume 'v_validate'" in sections.text
    assert "segmentation" in data(sections.find("div", class_="slices")[0])["titles"]
    assert "names no error sites" in page.find("section", id="error-sites")[0].text
    assert "not known what the steps took" in page.text
    (tmp_path / "v.zarr").rename(tmp_path / "w.zarr")
    page = read_page(write_report(config).read_text(encoding="utf-8"))
    assert "v.zarr" in page.find("section", id="sections")[0].text
    assert numbers(page), "scores are there nonetheless"


def test_sites_whose_segmentation_is_gone_have_their_words(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    sites = json.loads(evaluation_file(config).read_text())["sites"]
    path = segmentation(config, "v_validate")
    path.rename(path.with_suffix(".gone"))
    page = read_page(write_report(config).read_text(encoding="utf-8"))
    [section] = page.find("section", id="error-sites")
    assert "here is no segmentation of volume 'v_validate'" in section.text
    listed = [site for site in sites if site["volume"] == "v_validate"]
    shown = section.find("li", class_="site")[: len(listed)]
    for element, site in zip(shown, listed, strict=True):
        assert all(str(one) in element.text for one in [*site["truth"], *site["segments"]])
        assert not element.find("img")


@pytest.mark.parametrize(
    ("settings", "scored", "says"),
    [
        ({}, True, "No error was found"),
        ({"sites": 0}, True, "were not looked for: evaluate.sites is 0"),
        ({"metric": "nerl"}, True, "where labels are compared, and the metric is along skeletons"),
        ({}, False, "at a threshold, and none was picked"),
    ],
)
def test_why_there_are_no_sites(run, settings, scored, says) -> None:
    config = run[0].derive(evaluate=settings)
    told = _no_sites(Recorded(config, {}, {}, {}, []), {"scores": {"voi": 0} if scored else None})
    assert says in told


def test_a_run_that_was_evaluated_on_other_volumes_than_it_was_trained_with(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    trained = config.derive(dataset={"validate": (), "test": ()})
    config_file(config).write_text(trained.model_dump_json())
    page = read_page(write_report(trained).read_text(encoding="utf-8"))
    [sections] = page.find("section", id="sections")
    assert len(sections.find("div", class_="slices")) == len(VOLUMES)


def test_names_are_text(tmp_path) -> None:
    config = make_config(tmp_path, name="<b>&größe= x")
    segment(config, progress=lambda _: None)
    page = read_page(write_report(config).read_text(encoding="utf-8"))
    assert page.find("h1")[0].text == "Run <b>&größe= x"
    assert not page.find("b")


def _volume(config):
    spec = config.dataset.volumes()["v_validate"]
    return open_volume(spec, name="v", data_root=Path(config.data_root))


def _section(axis: int, place: int) -> Roi:
    begin, shape = list(ROI.begin), list(ROI.shape)
    begin[axis], shape[axis] = place, 1
    return Roi(begin, shape)


def _upright(section, axis: int):
    return section.T if axis == 2 else section


def _decoded(url: str):
    kind, _, text = url.partition(";base64,")
    assert kind == "data:image/webp"
    return imread(BytesIO(base64.b64decode(text)), format="webp")[..., :3] / 255


def _same(found, expected, steps: int) -> None:
    """Up to what is lost to a photograph's compression, in the mean."""
    assert found.shape[:2] == expected.shape[:2]
    assert np.abs(found - expected).mean() < steps / 255


def _middles(picture, ids) -> dict:
    """The colour of each id, in the middle of a voxel, where there is no line."""
    down, right = (n // m for n, m in zip(picture.shape[:2], ids.shape, strict=True))
    assert (down * ids.shape[0], right * ids.shape[1]) == picture.shape[:2]
    middle = picture[down // 2 :: down, right // 2 :: right]
    return {one: tuple(middle[ids == one][0]) for one in np.unique(ids).tolist()}


def _labels(picture, ids, axis: int) -> None:
    for one, colour in _middles(picture, _upright(ids, axis)).items():
        np.testing.assert_allclose(colour, colours(np.array([one], np.uint64))[0], atol=0.01)
