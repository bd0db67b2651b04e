"""Scores that are no numbers, as a metric of one's own may give them, in evaluation.json."""

import json
import math

import numpy as np
from funlib.geometry import Roi

from lsd.evaluation.run import _write
from lsd.evaluation.score import Score
from lsd.evaluation.scores import Evaluation, VolumeScores
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Head,
    Network,
    ResidualUNet,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import evaluation_file


class Undefined(Score):
    objective = math.inf

    def as_dict(self):
        return {"mine": math.nan, "all": [np.float32("inf"), 1.5], "own": {"one": -math.inf}}

    def pool(self, others):
        return self

    def __str__(self):
        return "undefined"


def test_what_is_no_number_is_null_and_the_same_again(tmp_path) -> None:
    stage = Stage(heads={"affs": Head(target=Affinities())})
    config = Config(
        name="run",
        dataset=Dataset(test=(Volume(path="v.zarr", name="v", raw="raw"),)),
        variant=Variant(stages=(stage,)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        runs=str(tmp_path),
    )
    evaluation_file(config).parent.mkdir()
    volume = VolumeScores("test", Roi((0, 0, 0), (1, 1, 1)), Undefined())
    evaluation = Evaluation(0.5, "somewhere", {"v": volume})
    assert [_write(config, evaluation) for _ in range(2)] == ["", ""]

    def refuse(name):
        raise AssertionError(name)

    read = json.loads(evaluation_file(config).read_text(), parse_constant=refuse)
    wanted = {"mine": None, "all": [None, 1.5], "own": {"one": None}}
    assert read["volumes"]["v"]["scores"] == read["parts"]["test"] == wanted
