"""Objects at located points are scored as a segmentation is, and their density drawn."""

import json
import os

import numpy as np
import pytest
import torch
from seeded_run import balls, make_run, read, save, table_of

from lsd.arrays.contingency import Contingency
from lsd.blockwise.on_disk.step import step_folder
from lsd.cli.survey.objects import survey
from lsd.evaluation.metric import scoring
from lsd.evaluation.run import evaluate
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.segmented import objects_of
from lsd.objects.tables import write_located
from lsd.report.run import draw_figures
from lsd.report.table import scores_table
from lsd.segmentation.threshold import picked, scoring_settings
from lsd.spec import Benchmark, Evaluate
from lsd.spec.paths import checkpoints, evaluation_file, objects
from lsd.volumes.array import open_array


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    labels = balls((40, 44, 48), count=6, radius=6)
    # one object was not located
    table = table_of(labels).chosen(np.arange(1, 6))
    settings = Evaluate(of="objects", metric=Benchmark(min_size=20), block=(17, 44, 48))
    config = make_run(tmp_path_factory.mktemp("run"), labels, table, evaluate=settings)
    segment_at_seeds(config)
    return config, labels


def test_scores_are_those_of_the_arrays(run) -> None:
    config, labels = run
    found = evaluate(config)
    assert found.threshold is None
    assert found.chosen_on == "objects at located points have none"
    segmentation = read(objects(config, "em"))
    expected = scoring(config.evaluate)(Contingency.of(segmentation, labels)).as_dict()
    assert found.volumes["em"].scored.as_dict() == expected
    assert expected["objects"] == 6
    assert expected["segments"] == 5
    # five of six are right, and there is no false one
    assert expected["ap50"] == pytest.approx(84 / 101)
    written = json.loads(evaluation_file(config).read_text())
    assert written["evaluate"]["of"] == "objects"
    assert "AP50" in scores_table(found)
    [figure] = draw_figures(config, found)
    assert figure.name == "objects_evaluation_em.png"


def test_their_table_says_how_large_they_are(run) -> None:
    config, labels = run
    table = objects_of(open_array(objects(config, "em"), "segmentation"))
    sizes = np.bincount(labels.ravel().astype(int))[2:]
    assert sorted(table.voxels.tolist()) == sorted(sizes.tolist())


def test_what_is_not_there_is_told(run, tmp_path) -> None:
    config, _ = run
    with pytest.raises(ValueError, match=r"no objects of volume 'em'.*run `lsd objects` first"):
        evaluate(config.derive(runs=str(tmp_path)))
    assert "of" not in Evaluate().model_dump()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": {"min_size": 3}}, r"seeds\.min_size: 0 there, 3 asked for"),
        ({"seeds": {"rule": {"one": 0.7}}}, r"seeds\.rule\.one: 0\.4 there, 0\.7 asked for"),
        ({"seeds": {"block": (30, 30, 30)}}, r"seeds\.block: .* there"),
        ({"seeds": {"piece": (20, 20, 20)}}, r"seeds\.piece: .* there, \[20, 20, 20\] asked for"),
        ({"seeds": {"threshold": 0.4}}, r"seeds\.threshold: \[0\.5\] there, \[0\.4\] asked for"),
        ({"segment": {"objects": {"min_size": 9}}}, r"segment\.objects: None there, "),
        ({"segment": {"use_mask": True}}, r"segment\.use_mask: False there, True asked for"),
        ({"predict": {"augment": "flips"}}, r"predict\.augment: none there, flips asked for"),
        ({"predict": {"region": "10:40, :, :"}}, r"predict\.region: .* there"),
    ],
)  # fmt: skip
def test_objects_of_other_settings_are_not_scored(run, change, words) -> None:
    config, _ = run
    other = config.derive(**change)
    with pytest.raises(ValueError, match=rf"is not what `lsd objects` would give now: .*{words}"):
        evaluate(other)
    said = "\n".join(survey(other, False))
    assert "what is done with other settings or inputs would be made anew: " in said
    assert "would be" not in "\n".join(survey(config, False))


def test_objects_of_other_inputs_are_not_scored(tmp_path) -> None:
    labels = balls((24, 26, 28), count=2, radius=5)
    settings = Evaluate(of="objects", metric=Benchmark())
    config = make_run(tmp_path, labels, table_of(labels), evaluate=settings)
    segment_at_seeds(config)
    evaluate(config)
    # who does the work is no other setting
    evaluate(config.derive(seeds={"workers": {"count": 2}}))
    write_located(table_of(labels, jitter=3), tmp_path / "em.csv")
    with pytest.raises(ValueError, match="the table of located objects is another one"):
        evaluate(config)
    write_located(table_of(labels), tmp_path / "em.csv")
    evaluate(config)
    array = open_array(tmp_path / "em.zarr", "raw", writable=True)
    array.write(255 - array.read(array.roi), array.roi)
    with pytest.raises(ValueError, match=r"raw was changed since"):
        evaluate(config)
    segment_at_seeds(config)
    evaluate(config)
    [path] = checkpoints(config, "main").glob("*.pt")
    path.unlink()
    save(config.derive(train={"seed": 5}))
    with pytest.raises(ValueError, match="the checkpoint is another one"):
        evaluate(config)


def test_threads_that_nobody_named_are_those_that_there_were(tmp_path, monkeypatch) -> None:
    labels = balls((24, 26, 28), count=2, radius=5)
    settings = Evaluate(of="objects", metric=Benchmark())
    config = make_run(tmp_path, labels, table_of(labels), evaluate=settings)
    config = config.derive(predict={"threads": None})
    segment_at_seeds(config)
    evaluate(config)
    count = torch.get_num_threads() + 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(count))
    evaluate(config)
    with pytest.raises(ValueError, match=rf"predict\.threads: {count - 1} there, {count} asked"):
        evaluate(config.derive(predict={"threads": count}))


def test_a_picked_threshold_stays_picked(tmp_path) -> None:
    labels = balls((24, 26, 28), count=2, radius=5)
    settings = Evaluate(of="objects", metric=Benchmark())
    config = make_run(tmp_path, labels, table_of(labels), evaluate=settings)
    of_segmentations = config.derive(evaluate={"of": "segmentation"})
    path = evaluation_file(of_segmentations)
    content = {
        "threshold": 0.3,
        "segment": scoring_settings(config.segment),
        "evaluate": of_segmentations.evaluate.model_dump(mode="json"),
    }
    path.write_text(json.dumps(content))
    assert picked(config) == picked(of_segmentations) == 0.3
    [container] = segment_at_seeds(config)
    step = json.loads((step_folder(container, "seeds") / "step.json").read_text())
    assert step["job"]["segment"]["thresholds"] == [0.3]
    evaluate(config)
    assert json.loads(path.read_text()) == content
    assert evaluation_file(config) != path
    # so they are what they were, and are scored again
    evaluate(config)
