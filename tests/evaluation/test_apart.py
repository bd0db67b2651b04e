"""Objects of the truth that lie in pieces: how many, and the bits that they alone make."""

import json
import logging

import numpy as np
import pytest
from scipy import ndimage
from segmented_volumes import ROI, VOXEL_SIZE, only, with_evaluate

from lsd.arrays.skeletons import Skeletons
from lsd.evaluation import apart as module
from lsd.evaluation.along_skeletons.apart import SkeletonsApart, skeletons_apart
from lsd.evaluation.apart import Apart, apart
from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.evaluation.skeletons import expected_run_length
from lsd.spec.paths import data_root, evaluation_file
from lsd.volumes.skeletons import write_skeletons
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


def test_where_label_0_is_scored_bits_are_over_its_voxels_too() -> None:
    truth = np.array([[7, 7, 0, 7, 7, 0, 0, 0]], np.uint64)
    found = apart(truth, np.ones(truth.shape, np.bool_), is_background=False)
    pieces = np.array([[1, 1, 0, 2, 2, 0, 0, 0]])
    assert found.voi_split == compare(pieces, truth, ignore=()).voi_split == 0.5


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


def test_skeletons_in_pieces_have_the_run_length_of_their_pieces() -> None:
    rng = np.random.default_rng(4)
    count = 60
    owner = np.repeat(np.arange(1, 7, dtype=np.uint64), count // 6)
    positions = rng.random((count, 3)) * 500
    edges = [
        (n, n + 1) for n in range(count - 1) if owner[n] == owner[n + 1] and rng.random() < 0.8
    ]
    skeletons = Skeletons(np.arange(count), owner, positions, edges)
    # node by node: a node without an edge from before begins a piece
    begins = [n == 0 or (n - 1, n) not in edges for n in range(count)]
    segments = np.cumsum(begins).astype(np.uint64)
    expected = expected_run_length(skeletons, segments)
    with_length = [
        len({segments[n] for n, _ in edges if owner[n] == one}) for one in np.unique(owner)
    ]
    found = skeletons_apart(skeletons)
    assert found.nerl == pytest.approx(expected.nerl)
    assert found.nerl < 1
    assert (found.skeletons, found.of) == (sum(n > 1 for n in with_length), 6)
    alone = skeletons_apart(Skeletons([1, 2], [5, 5], [[0, 0, 0], [0, 0, 1]], []))
    assert alone == SkeletonsApart(0, 1, None)


def test_an_evaluation_tells_of_skeletons_in_pieces(config, tmp_path, caplog) -> None:
    """One bends out of the volume and comes back."""
    begin, end = np.multiply(ROI.begin, VOXEL_SIZE), np.multiply(ROI.end, VOXEL_SIZE)
    ways = [(0, 0, 0), (8, 0, 0), None, (8, 24, 0), (8, 40, 0)]
    places = [end + 50 if way is None else begin + 4 + np.array(way) for way in ways]
    write_skeletons(
        Skeletons(range(5), [1] * 5, places, [(n, n + 1) for n in range(4)]), tmp_path / "a.npz"
    )
    config = only(config, "a")
    part = "validate" if config.dataset.validate else "test"
    volume = getattr(config.dataset, part)[0].derive(skeletons="a.npz")
    config = config.derive(dataset=config.dataset.derive(**{part: (volume,)}))
    caplog.clear()
    found = evaluate(config)
    expected = SkeletonsApart(1, 1, pytest.approx((8**2 + 16**2) / 24**2))
    assert found.skeletons_apart == {"a": expected}
    content = json.loads(evaluation_file(config).read_text())["skeletons_apart"]
    assert content == {"a": found.skeletons_apart["a"].as_dict()}
    (told,) = [message for message in caplog.messages if "with a segment for each piece" in message]
    assert told.startswith("a: 1 of 1 skeleton lies in pieces")
    assert told.endswith("nERL is 0.556")
    # of nothing else
    assert not evaluate(with_evaluate(config, skeletons={"outside": "omit"})).skeletons_apart
