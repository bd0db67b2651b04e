"""Golden losses: a refactoring leaves them alone.  Each variant is predicted, too."""

import json
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from tiny_run import NETWORKS, VARIANTS, golden_losses

from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.spec import Predict
from lsd.targets.target import channels, target_kind

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize("dims", NETWORKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_five_losses_and_prediction(variant, dims, tmp_path) -> None:
    losses, checkpoint = golden_losses(tmp_path, variant, dims)
    for stage, expected in GOLDEN[f"{variant}_{dims}"].items():
        assert len(expected) == 5
        np.testing.assert_allclose(losses[stage], expected, rtol=1e-4, err_msg=f"stage {stage}")
    _check_prediction(checkpoint, variant, NETWORKS[dims].dims)


def _check_prediction(checkpoint, variant, dims) -> None:
    restored = from_checkpoint(checkpoint)
    predictor = Predictor(
        restored.cascade, restored.config.network, settings=Predict(device="cpu", threads=1)
    )
    raw = np.random.default_rng(0).uniform(-1, 1, (12, 24, 22)).astype(np.float32)
    heads = predict_array(predictor, raw, roi=Roi((2, 1, 3), (9, 12, 11)))
    wanted = VARIANTS[variant].stages[-1].heads
    assert {name: head.shape for name, head in heads.items()} == {
        name: (channels(head.target, dims), 9, 12, 11) for name, head in wanted.items()
    }
    for name, head in heads.items():
        activation = target_kind(wanted[name].target).activation
        assert head.dtype == np.float32
        assert activation.low <= head.min() < head.max() <= activation.high
