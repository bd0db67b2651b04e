"""Earlier scores of a run are kept beside the new ones."""

import json
import shutil

import pytest
from segmented_volumes import (
    noisy_affinities,
    only,
    truth_of,
    with_evaluate,
    with_thresholds,
    write,
)

from lsd.evaluation.earlier import keep_earlier
from lsd.evaluation.run import evaluate
from lsd.segmentation.run import segment
from lsd.spec import (
    Workers,
)  # fmt: skip
from lsd.spec.paths import evaluation_file, prediction


@pytest.mark.slow
def test_earlier_scores_are_kept_and_named(config) -> None:
    folder, told = evaluation_file(config).parent, []
    evaluate(config, progress=told.append)
    first = evaluation_file(config).read_bytes()
    for name in ("sweep", "a"):
        for ending in ("png", "pdf", "svg"):
            (folder / f"evaluation_{name}.{ending}").write_bytes(b"first")
    (folder / "evaluation_neurons.csv").write_bytes(b"first")
    (folder / "report.html").write_bytes(b"first")
    same = with_evaluate(config, block=(5, 22, 10), workers=Workers(count=1))
    evaluate(same, progress=told.append)
    assert not [line for line in told if "kept" in line], "the same scores"
    assert (
        json.loads(evaluation_file(config).read_bytes())["volumes"] == json.loads(first)["volumes"]
    )
    cases = [
        (with_evaluate(config, background="ignore"),
         "evaluate.background: label there, ignore asked for"),
        (with_thresholds(config, (0.4,)), "evaluate.background: ignore there, label asked for; "
         "thresholds: 0.2, 0.4, 0.6, 0.8 there, 0.4 asked for"),
        (with_thresholds(only(config, "a"), (0.4,)), "volumes: a, b, c there, a asked for"),
    ]  # fmt: skip
    for number, (changed, says) in enumerate(cases, start=1):
        told.clear()
        before = evaluation_file(config).read_bytes()
        evaluate(changed, progress=told.append)
        kept = folder / f"evaluation-{number}.json"
        [line] = [line for line in told if "kept" in line]
        assert line.startswith(f"the earlier evaluation is kept as {kept}")
        assert line.endswith(f": {says}")
        assert kept.read_bytes() == before
        assert ("its figures beside it" in line) == (number == 1)
    for name in ("sweep", "a"):
        for ending in ("png", "pdf", "svg"):
            assert (folder / f"evaluation-1_{name}.{ending}").read_bytes() == b"first"
    for name in ("evaluation-1_neurons.csv", "report-1.html"):
        assert (folder / name).read_bytes() == b"first"
    assert not list(folder.glob("evaluation_*.png")), "those of other scores"
    assert not (folder / "report.html").exists()


def test_other_scores_with_the_same_settings_replace_none(config) -> None:
    before = evaluate(config)
    path = prediction(config, "c")
    shutil.rmtree(path)
    write(path, "affs", noisy_affinities(truth_of(2), 9), channels=3)
    segment(config)
    told = []
    evaluate(config, progress=told.append)
    assert told[-1].endswith("evaluation-1.json: the same settings gave other scores")
    kept = json.loads((evaluation_file(config).parent / "evaluation-1.json").read_bytes())
    assert kept["parts"]["test"] == before.part("test").as_dict()


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"volumes": 3, "segment": []}'])
def test_what_is_no_evaluation_is_kept_too(config, content) -> None:
    evaluation_file(config).write_bytes(content)
    told = []
    evaluate(config, progress=told.append)
    assert "evaluation-1.json" in told[-1]
    assert (evaluation_file(config).parent / "evaluation-1.json").read_bytes() == content


def test_a_volume_that_is_named_otherwise_gives_no_other_scores(tmp_path) -> None:
    """As by a path that was written out."""
    scores = {"segment": {}, "evaluate": {}, "volumes": {"a": {"scores": {"voi_sum": 1.5}}}}
    paths = ("a.zarr", "/data/a.zarr")
    named = [
        {**scores, "picked_on": {"a": {"path": path}}, "dataset": {"validate": [{"path": path}]}}
        for path in paths
    ]
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(named[0]))
    assert keep_earlier(file, named[1]) == ""
    other = {**named[1], "volumes": {"a": {"scores": {"voi_sum": 1.25}}}}
    assert keep_earlier(file, other).endswith("the same settings gave other scores")
