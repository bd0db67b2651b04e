"""Objects of the truth that lie in pieces: how many, and the bits that they alone make."""

import json
import logging

import numpy as np
import pytest
from scipy import ndimage
from segmented_volumes import only, with_evaluate

from lsd.evaluation import apart as module
from lsd.evaluation.apart import Apart, apart
from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.spec.paths import data_root, evaluation_file
from lsd.volumes.volume import open_volume

LARGE = np.uint64(2**64 - 1)


def _by_definition(truth: np.ndarray) -> tuple[int, int, float]:
    """Each label on its own, and the VOI of the pieces against the labels."""
    pieces, last, in_pieces = np.zeros(truth.shape, np.int64), 0, 0
    labels = [label for label in np.unique(truth) if label]
    for label in labels:
        own, count = ndimage.label(truth == label, np.ones((3,) * truth.ndim))
        pieces[own > 0] = own[own > 0] + last
        last, in_pieces = last + count, in_pieces + (count > 1)
    return in_pieces, len(labels), compare(pieces, truth).voi_split


@pytest.mark.parametrize("shape", [(40, 30), (12, 20, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_pieces_by_definition(shape, seed) -> None:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 6, [n // 4 for n in shape])
    truth = np.kron(small, np.ones((4,) * len(shape), np.int64)).astype(np.uint64)
    truth[truth == 5] = LARGE
    scored = np.ones(truth.shape, np.bool_)
    in_pieces, objects, bits = _by_definition(truth)
    assert in_pieces > 0
    found = apart(truth, scored)
    assert (found.objects, found.of) == (in_pieces, objects)
    assert found.voi_split == pytest.approx(bits, abs=1e-12)
    # what is not scored separates pieces, and counts nowhere
    scored[..., ::7] = False
    hidden = np.where(scored, truth, np.uint64(0))
    in_pieces, objects, bits = _by_definition(hidden)
    found = apart(truth, scored)
    assert (found.objects, found.of) == (in_pieces, objects)
    assert found.voi_split == pytest.approx(bits, abs=1e-12)


def test_two_halves_are_a_bit() -> None:
    truth = np.array([[7, 7, 0, 7, 7]], np.uint64)
    found = apart(truth, truth > 0)
    assert found == Apart(1, 1, 1.0)
    assert str(found).startswith("1 of 1 object of the truth lies in pieces that are apart")
    assert apart(np.zeros((3, 4), np.uint64), np.ones((3, 4), np.bool_)) == Apart(0, 0, 0.0)


def test_an_evaluation_tells_of_pieces(config, caplog, monkeypatch) -> None:
    """Labels have several pieces in these volumes."""
    config = only(config, "a")
    caplog.set_level(logging.WARNING)
    found = evaluate(config)
    volume = open_volume(config.dataset.volumes()["a"], name="a", data_root=data_root(config))
    truth, known = volume.read_truth(found.volumes["a"].roi)
    in_pieces, objects, bits = _by_definition(np.where(known, truth, np.uint64(0)))
    assert in_pieces > 1
    assert found.apart == {"a": Apart(in_pieces, objects, pytest.approx(bits, abs=1e-12))}
    content = json.loads(evaluation_file(config).read_text())
    assert content["apart"] == {"a": found.apart["a"].as_dict()}
    (told,) = [message for message in caplog.messages if "evaluate.connected=true" in message]
    assert told.startswith(f"a: {in_pieces} of {objects} objects of the truth lie in pieces")
    assert f"{bits:.3f} bits" in told
    caplog.clear()
    # pieces that are objects are not told, nor what is too large to look at
    assert not evaluate(with_evaluate(config, connected=True)).apart
    assert not evaluate(with_evaluate(config, metric="foreground")).apart
    monkeypatch.setattr(module, "MOST", 10)
    assert not evaluate(config).apart
    assert not any("lie in pieces" in message for message in caplog.messages)


def test_the_cremi_score_has_no_pieces_to_take(config, caplog) -> None:
    config = with_evaluate(only(config, "a"), metric="cremi")
    assert evaluate(config).apart["a"].objects > 1
    (told,) = [message for message in caplog.messages if "lie in pieces" in message]
    assert "evaluate.connected" not in told
