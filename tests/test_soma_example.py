"""The two configs of the example of somata, run one after the other on small volumes, as a user
runs them; and the arithmetic of docs/soma.md."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from guide import DOCS, blocks_of

from lsd.cli import load
from lsd.evaluation.run import evaluate
from lsd.network.checkpoints.files import newest_file
from lsd.objects.locator import located_by
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.segmented import objects_of
from lsd.objects.tables import read_located
from lsd.spec import Volume
from lsd.spec.paths import checkpoints, located, objects, run_folder
from lsd.training.loop import train
from lsd.volumes.array import open_array

EXAMPLES = Path(__file__).parents[1] / "config" / "examples"
SMALL = [
    *(f"dataset.{part}.0.synthetic.shape=(64, 80, 96)" for part in ("train", "validate", "test")),
    *(f"dataset.{part}.0.synthetic.seed=13" for part in ("train", "validate", "test")),
    *(f"dataset.{part}.0.synthetic.fraction=0.12" for part in ("train", "validate", "test")),
    "train.iterations=2",
    "train.schedule.warmup=1",
    "train.validate_every=0",
    "train.workers=0",
    "train.device=cpu",
    "train.threads=1",
    "predict.device=cpu",
    "predict.threads=1",
    "predict.checkpoint=latest",
    "predict.augment=none",
]


def test_the_configs_belong_together() -> None:
    fine, coarse = (load(EXAMPLES / f"{name}.py", []) for name in ("soma", "soma_coarse"))
    assert fine.seeds.locator == str(run_folder(coarse))
    for part in ("train", "validate", "test"):
        one, other = (getattr(config.dataset, part)[0] for config in (fine, coarse))
        assert other.derive(scale=None) == one
        assert other.scale == (4, 4, 4)


@pytest.mark.slow
def test_the_example_runs_from_training_to_scores(tmp_path, monkeypatch) -> None:
    """Two iterations teach nothing: the chain is looked at, not what it finds."""
    monkeypatch.chdir(tmp_path)
    # training is too short to pick a threshold
    coarse = load(
        EXAMPLES / "soma_coarse.py",
        [*SMALL, "network.train_shape=(16, 16, 16)", "segment.thresholds=(0.5,)"],
    )
    train(coarse, progress=False)
    window = ["network.train_shape=(32, 32, 32)", "seeds.window=(48, 48, 48)"]
    fine = load(
        EXAMPLES / "soma.py",
        [*SMALL, *window, "seeds.min_size=1"],
    )
    train(fine, progress=False)
    located_by(fine)
    table = read_located(located(coarse, "synthetic_test"))
    segment_at_seeds(fine)
    array = open_array(objects(fine, "synthetic_test"), "segmentation")
    assert array.roi.shape == (64, 80, 96)
    found = objects_of(array)
    assert len(found) <= max(len(table), 1) * 3
    scores = evaluate(fine).volumes["synthetic_test"].scored.as_dict()
    assert scores["segments"] == len(found)
    assert scores["objects"] > 0
    assert set(np.unique(array.read(array.roi))) == {0, *found.id.tolist()}
    # one block by itself, under a name of its own
    block = fine.derive(
        name="one_block",
        predict={
            "checkpoint": str(newest_file(checkpoints(fine, "main"))),
            "region": "0:32, 16:80, :",
        },
    )
    located_by(block)
    segment_at_seeds(block)
    array = open_array(objects(block, "synthetic_test"), "segmentation")
    assert array.roi == Roi((0, 16, 0), (32, 64, 96))


BLOCKS = blocks_of("soma")


def printed(block: str) -> str:
    """What a block of the document prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(block, {})
    return text.getvalue()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_the_document_runs_as_it_is_written(block) -> None:
    printed(block)


def test_the_arithmetic_is_what_the_document_says() -> None:
    text = (DOCS / "soma.md").read_text(encoding="utf-8")
    [block] = [block for block in BLOCKS if "FAFB" in block or "BOX =" in block]
    [shown] = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert printed(block) == shown


def test_the_volume_of_the_document_is_one() -> None:
    names: dict = {}
    exec(BLOCKS[0], names)
    assert isinstance(names["volume"], Volume)
    assert names["at_a_quarter"].scale == (4, 4, 4)
