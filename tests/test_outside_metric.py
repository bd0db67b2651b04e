"""A metric of a module outside the package: in validation, evaluation, tables and figures."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from kinds_outside.metric import Impurity, ImpurityScore

from lsd.evaluation.run import evaluate
from lsd.report.figures import headline
from lsd.report.run import draw_figures
from lsd.report.table import scores_table
from lsd.spec import Config, Evaluate, paths
from lsd.spec.kinds import import_kinds
from lsd.spec.paths import evaluation_file
from lsd.training.loop import train

for room in ("training", "evaluation"):
    sys.path.append(str(Path(__file__).parent / room))
from segmented_volumes import NAMES, segmented, segments_of, truth_of  # noqa: E402
from tiny_run import config as tiny  # noqa: E402
from tiny_run import curve  # noqa: E402

MODULE = "kinds_outside.metric"


@pytest.fixture(autouse=True)
def _imported() -> None:
    import_kinds([MODULE])


def by_hand(segments: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    """Voxels that are not of the largest object in their segment, nor in the largest segment of
    their object."""
    scored = truth > 0
    segments, truth = segments[scored], truth[scored]

    def lost(of, among):
        return sum(
            (of == one).sum() - np.unique(among[of == one], return_counts=True)[1].max()
            for one in np.unique(of)
        )

    return int(lost(segments, truth)), int(lost(truth, segments))


def test_evaluation_goes_by_it(tmp_path) -> None:
    run = segmented(tmp_path)
    usual = evaluate(run)
    run = run.derive(imports=(MODULE,), evaluate={"metric": Impurity(split=0.25)})
    told: list[str] = []
    found = evaluate(run, progress=told.append)
    assert any("evaluate.metric: voi there, " in line for line in told), "the earlier one is kept"
    sums = {}
    for threshold in run.segment.thresholds:
        merged, cut, voxels = 0, 0, 0
        for name in NAMES:
            truth = truth_of(NAMES.index(name))[:, 4:]
            segments = segments_of(run, name, f"segmentation/{threshold}")[:, 4:]
            score = found.volumes[name].sweep[threshold]
            assert isinstance(score, ImpurityScore)
            assert (score.merged, score.cut) == by_hand(segments, truth)
            if name in "ab":
                merged, cut = merged + score.merged, cut + score.cut
                voxels += int((truth > 0).sum())
        sums[threshold] = (merged + 0.25 * cut) / voxels
    assert found.threshold == min(sums, key=lambda t: (sums[t], t))
    assert found.part("validate").objective == pytest.approx(sums[found.threshold])
    written = json.loads(evaluation_file(run).read_text())
    assert written["evaluate"]["metric"] == {"kind": "impurity", "split": 0.25}
    assert written["parts"]["test"] == found.part("test").as_dict()
    assert (
        "metric"
        not in json.loads((evaluation_file(run).parent / "evaluation-1.json").read_text())[
            "evaluate"
        ]
    )
    lines = scores_table(found).splitlines()
    assert lines[0].split() == [
        *("volume", "part", "merged", "cut", "impurity", "fragments'", "impurity")
    ]
    assert lines[-1].startswith(f"threshold {found.threshold:g}, from validation volumes: a, b")
    assert "VOI" not in "".join(lines)
    assert "VOI" in scores_table(usual)
    assert headline("c", found.volumes["c"].scored, 0.4).startswith("c: impurity 0.")


def test_figures_draw_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.report.figures._PIXELS", 50)  # fast
    run = segmented(tmp_path).derive(imports=(MODULE,), evaluate={"metric": "impurity"})
    files = draw_figures(run, evaluate(run))
    assert files[0].name == "evaluation_sweep.png"
    assert all(file.stat().st_size > 5000 for file in files)


def test_training_keeps_what_it_finds_best(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    run = tiny(tmp_path, iterations=3, validate_every=1, checkpoint_every=1)
    run = run.derive(imports=(MODULE,), evaluate={"metric": "impurity"})
    train(run, progress=False)
    scores = curve(run, "main", "validation/score")
    record = json.loads(paths.validation_file(run).read_text())
    assert record["score"] == record["impurity"] == pytest.approx(min(scores), rel=1e-6)
    assert record["iteration"] == 1 + int(np.argmin(scores))
    assert record["yardstick"]["score"] == "impurity"
    assert record["yardstick"]["evaluate"]["metric"] == "impurity"
    assert len(curve(run, "main", f"validation/score/{record['threshold']:g}")) == 3
    assert f"impurity {record['score']:.3f} at threshold {record['threshold']:g}" in caplog.text
    # by the usual metric the best so far is another number
    caplog.clear()
    usual = run.derive(train={"iterations": 4}, evaluate=Evaluate())
    train(usual, progress=False)
    assert "score: impurity there, voi asked for" in caplog.text
    again = json.loads(paths.validation_file(usual).read_text())
    assert again["score"] == again["voi_sum"]


def test_a_name_stands_for_it_and_the_usual_one_is_not_written() -> None:
    assert Evaluate(metric="impurity").metric == Impurity()
    assert Evaluate(metric="impurity").model_dump(mode="json")["metric"] == "impurity"
    assert "metric" not in Evaluate().model_dump(mode="json")
    assert "metric" not in json.loads(Evaluate(metric="voi").model_dump_json())
    assert Evaluate.model_validate(Evaluate().model_dump()) == Evaluate()
    with pytest.raises(ValueError, match="metric 'elegance' is unknown; allowed: voi"):
        Evaluate(metric="elegance")


def test_a_config_of_before_is_as_it_was(tmp_path) -> None:
    """Its JSON says nothing of a metric, and so does what is written now."""
    run = tiny(tmp_path)
    assert "metric" not in run.model_dump(mode="json")["evaluate"]
    assert Config.model_validate_json(run.model_dump_json()) == run
