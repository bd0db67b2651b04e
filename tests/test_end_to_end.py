"""From one config to a score: the scripts as a user runs them, on a small synthetic volume."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from guide import variants

from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.report.run import draw_figures
from lsd.report.table import scores_table
from lsd.segmentation.run import segment
from lsd.spec import (
    Config,
    Dataset,
    Network,
    Predict,
    ResidualUNet,
    Segment,
    Simple,
    Synthetic,
    Train,
    Variant,
    Volume,
    paths,
)  # fmt: skip
from lsd.training.loop import train
from lsd.volumes.array import open_array

ROOT = Path(__file__).parents[1]
LABELS, MITOCHONDRIA = "volumes/labels/neuron_ids", "volumes/labels/mitochondria"

# those of a user, with heads that no variant of the paper has
OWN = variants()


def volume(seed: int) -> Volume:
    return Volume(
        synthetic=Synthetic(shape=(24, 40, 40), seed=seed),
        labels=LABELS,
        arrays={"mitochondria": MITOCHONDRIA},
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Where the volumes are made, once for all."""
    return tmp_path_factory.mktemp("data")


def small(tmp_path: Path, data: Path, variant: Variant, *, dims: int) -> Config:
    trunk = ResidualUNet(
        widths=(4, 8), factors=((2,) * dims,), kernel=(3,) * dims, context=(4,) * dims
    )
    return Config(
        name="größe=1: x",
        dataset=Dataset(
            train=(volume(1),), validate=(volume(2),), test=(volume(3),), augment=(Simple(),)
        ),
        variant=variant,
        network=Network(trunk=trunk, train_shape=(16,) * dims),
        train=Train(iterations=3, workers=0, validate_every=2, learning_rate=1e-3, threads=1),
        predict=Predict(threads=1),
        segment=Segment(thresholds=(0.3, 0.7)),
        runs=str(tmp_path / "runs"),
        data_root=str(data),
    )


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", OWN)
def test_the_variants_of_the_guide(tmp_path, data, name, dims) -> None:
    """As docs/guide.md writes them, from training to scores; each of their heads is there."""
    config = small(tmp_path, data, OWN[name], dims=dims)
    train(config, progress=False)
    predict(config)
    segment(config)
    evaluation = evaluate(config)
    container = paths.prediction(config, "synthetic_test")
    channels = {"affs": dims, "lsds": 10 if dims == 3 else 6}
    channels |= dict.fromkeys(("boundary", "mitochondria", "foreground", "distance"), 1)
    channels |= {"around": 9, "interior": 2, "pairs": 37 if dims == 3 else 12}
    assert {"affs"} <= set(OWN[name].heads()) <= set(channels)
    for head in OWN[name].heads():
        array = open_array(container, head)
        assert array.shape == (channels[head], 24, 40, 40)
        assert np.ptp(array.read(array.roi)) > 0
    found = json.loads(paths.evaluation_file(config).read_text())
    assert found["threshold"] in config.segment.thresholds
    assert evaluation.volumes["synthetic_test"].scored.voi_sum > 0
    assert "synthetic_test" in scores_table(evaluation)
    # of volumes, which are of three axes for either network, and of curves of losses, which are of
    # the variant
    if dims == 3:
        assert all(path.stat().st_size > 1000 for path in draw_figures(config, evaluation))


@pytest.mark.slow
def test_the_scripts(tmp_path, data) -> None:
    """As the README says it: the same config, four commands; then a wrong one."""
    config = tmp_path / "my config.json"
    config.write_text(small(tmp_path, data, OWN["mine"], dims=3).model_dump_json())
    printed = {
        name: run(name, "-c", str(config))
        for name in ("trainer", "predicter", "segment", "evaluate")
    }
    assert all(result.returncode == 0 for result in printed.values()), [
        r.stderr for r in printed.values()
    ]
    assert "VOI sum" in printed["evaluate"].stdout
    assert (tmp_path / "runs" / "größe=1: x" / "evaluation_sweep.png").exists()
    wrong = run("predicter", "-c", str(config), "predict.checkpoint=nowhere.pt")
    assert wrong.returncode == 1
    assert "nowhere.pt" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, f"{script}.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
