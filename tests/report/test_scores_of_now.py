"""Scores are shown beside the segmentation that they are of, and beside no other."""

import json

import numpy as np
import pytest
from page_reader import at, data, numbers, read_page
from reported_run import ROI, VOLUMES, make, truth

from lsd.blockwise.on_disk.job import Recorded
from lsd.blockwise.on_disk.ledger import note_whole
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.blockwise.on_disk.written import content_of
from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.report.neurons import write_neurons
from lsd.report.page.write import write_comparison, write_report
from lsd.segmentation.results import open_results
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import picked
from lsd.spec.paths import evaluation_file, prediction, segmentation
from lsd.volumes.array import open_array

AGAIN = "To score what is there, run `lsd evaluate`, with the config that it was segmented with."


def quiet(line):
    """Tells nobody."""


def page_of(config):
    return read_page(write_report(config).read_text(encoding="utf-8"))


def scores_of(config):
    return json.loads(evaluation_file(config).read_text())


def shown(page):
    """Everything in a page that is of scores: numbers, curves, sites, rows of neurons."""
    ids = ("thresholds", "neurons", "along-skeletons")
    sections = [name for name in ids if page.find("section", id=name)]
    return numbers(page), sections, page.find("li", class_="site")


def otherwise(config):
    """The same run with other fragments: of other ids, and other scores."""
    return config.derive(segment={"fragments": {"in_xy": False, "min_seed_distance": 2}})


@pytest.mark.slow
def test_a_setting_is_changed_and_all_is_segmented_anew(tmp_path) -> None:
    config, before, _ = make(tmp_path)
    assert all(shown(page_of(config)))
    assert "another segmentation" not in page_of(config).text
    other = otherwise(config)
    segment(other, progress=quiet)
    page = page_of(other)
    assert shown(page) == ({}, [], [])
    assert f"error sites of {', '.join(VOLUMES)} in evaluation.json are of another" in page.text
    assert f"the segmentation was made anew since. {AGAIN}" in page.text
    old = {f"{score:.3f}" for v in VOLUMES for score in vois(before.volumes[v].scored)}
    new_sections = page.find("section", id="sections")[0]
    assert not old & {cell.text for cell in page.find("td")}
    assert AGAIN in page.find("section", id="error-sites")[0].text
    # raw and truth are there, and what is not is said
    assert data(new_sections.find("div", class_="slices")[0])["titles"][:2] == ["raw", "truth"]
    assert "no threshold was picked" in new_sections.text.lower()
    # the command that it names makes them anew
    after = evaluate(other, progress=quiet)
    write_neurons(other, after)
    page = page_of(other)
    assert "another segmentation" not in page.text
    read, sites = numbers(page), page.find("li", class_="site")
    assert sites
    for pointer, text in read.items():
        assert float(text) == round(at(scores_of(other), pointer), 3)
    segments = open_results(other, "v_validate").read(ROI, after.threshold)
    expected = compare(segments[truth() > 0], truth()[truth() > 0])
    assert vois(after.volumes["v_validate"].scored) == pytest.approx(vois(expected))
    assert float(read["/volumes/v_validate/scores/voi_split"]) == round(expected.voi_split, 3)
    assert not old & {read[f"/volumes/{v}/scores/voi_sum"] for v in VOLUMES}


def vois(score):
    return score.voi_split, score.voi_merge


def test_another_prediction_is_segmented_with_the_same_settings(tmp_path, caplog) -> None:
    """As after training went on: no setting tells it."""
    config, before, _ = make(tmp_path)
    assert picked(config) == before.threshold
    [alone, untouched] = VOLUMES
    affs = open_array(prediction(config, alone), "affs", writable=True)
    affs.write(np.where(affs.read(ROI) > 128, 255, 0).astype(np.uint8), ROI)
    segment(config, progress=quiet)
    page = page_of(config)
    read, sections, _ = shown(page)
    assert f"error sites of {alone} in evaluation.json are of another" in page.text
    # that of the other volume is as it was, and so are its scores
    assert {name.split("/")[2] for name in read if name.startswith("/volumes")} == {untouched}
    assert {name for name in read if name.startswith("/parts/test")}
    assert not {name for name in read if name.startswith("/parts/validate")}
    assert sections == ["thresholds", "neurons"], "skeletons were of the first alone"
    # what was picked was picked on the first
    assert picked(config) is None
    [told] = [message for message in caplog.messages if "is not used" in message]
    assert f"volume '{alone}': the segmentation was made anew since; run `lsd evaluate`" in told
    evaluation = evaluate(config, progress=quiet)
    assert picked(config) == evaluation.threshold


@pytest.mark.slow
def test_a_prediction_that_was_made_anew_and_is_not_segmented_yet(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    for volume, checkpoint in zip(VOLUMES, ("first", "first"), strict=True):
        predicted_by(config, volume, checkpoint)
    segment(config, progress=quiet)
    evaluate(config, progress=quiet)
    assert numbers(page_of(config))
    predicted_by(config, VOLUMES[1], "second")
    page = page_of(config)
    assert f"error sites of {VOLUMES[1]} in" in page.text
    assert "the prediction was made anew since. To score what is there, run `lsd segment` and " in (
        page.text
    )
    assert not [name for name in numbers(page) if name.startswith(f"/volumes/{VOLUMES[1]}")]
    assert [name for name in numbers(page) if name.startswith(f"/volumes/{VOLUMES[0]}")]


def predicted_by(config, volume, checkpoint):
    """Notes which checkpoint predicted, as `predict` does; no value is another one."""
    grid = load_step(segmentation(config, volume) / "blocks" / "fragments").grid
    job = Recorded({"checkpoint": checkpoint}, {"checkpoint": checkpoint})
    Step("predicted", prediction(config, volume), grid, job).save()


@pytest.mark.slow
def test_what_an_earlier_version_scored_is_shown_and_said_to_be_unknown(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    scores = scores_of(config)
    del scores["made_from"]
    evaluation_file(config).write_text(json.dumps(scores))
    page = page_of(config)
    assert numbers(page)
    assert "may be of another segmentation than there is now: it does not note" in page.text
    assert "run `lsd evaluate`, with the config that" in page.text
    assert not page.find("li", class_="site"), "they name segments"
    # no scores are lost, and none are kept twice: they are the same
    evaluate(config, progress=quiet)
    assert scores_of(config)["volumes"] == scores["volumes"]
    assert not evaluation_file(config).with_name("evaluation-1.json").exists()
    assert page_of(config).find("li", class_="site")


@pytest.mark.slow
def test_a_segmentation_that_somebody_edited(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    step = load_step(segmentation(config, VOLUMES[0]) / "blocks" / "fragments")
    fragments = open_array(segmentation(config, VOLUMES[0]), "fragments", writable=True)
    fragments.write(fragments.read(ROI)[::-1], ROI)
    assert numbers(page_of(config))
    assert "fragments was changed after it was written, or copied" in page_of(config).text
    # somebody who has his own word for what an array holds is taken by it
    note_whole(step.folder, {name: content_of(step, name) for name in step.arrays})
    assert "may be of another" not in page_of(config).text


def test_what_was_deleted_is_compared_with_nothing(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    path = segmentation(config, VOLUMES[0])
    path.rename(path.with_suffix(".gone"))
    assert [name for name in numbers(page_of(config)) if VOLUMES[0] in name]


@pytest.mark.slow
def test_several_runs(tmp_path) -> None:
    first, second = (make(tmp_path, name=name, seed=seed)[0] for name, seed in (("a", 1), ("b", 2)))
    path = tmp_path / "both.html"
    other = otherwise(second)
    segment(other, progress=quiet)
    write_comparison([first, other], path)
    page = read_page(path.read_text())
    assert {name.split("/")[1] for name in numbers(page)} == {"0"}
    assert "b: The scores and error sites of v_validate, v_test in evaluation.json" in page.text
    assert "evaluated before it was segmented anew" in page.text
    assert not page.find("section", id="seeds"), "one is left, which has no mean"
    for chart in page.find("section", id="thresholds")[0].find("figure", class_="chart"):
        assert len(data(chart)["lines"]) == 1


def test_other_numbers_of_the_same_worth_are_kept_apart(tmp_path) -> None:
    """Tables and figures beside an evaluation name the segments of the one that was scored."""
    config, _, _ = make(tmp_path)
    scores = scores_of(config)
    scores["made_from"]["v_test"]["segmentation"]["edges"] = "another"
    evaluation_file(config).write_text(json.dumps(scores))
    told = []
    evaluate(config, progress=told.append)
    assert told[-1].endswith("evaluation-1.json: it is of another segmentation")
