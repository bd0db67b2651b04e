"""Objects at located points are scored as a segmentation is, and their density drawn."""

import json

import numpy as np
import pytest
from seeded_run import balls, make_run, read, table_of

from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import scoring
from lsd.evaluation.run import evaluate
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.segmented import objects_of
from lsd.report.run import draw_figures
from lsd.report.table import scores_table
from lsd.spec import Benchmark, Evaluate
from lsd.spec.paths import evaluation_file, objects
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
    assert figure.name == "evaluation_em.png"


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
