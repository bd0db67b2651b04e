"""Validation looks where truth is, and counts what evaluate says: against the chain put together by
hand."""

import numpy as np
import pytest
from funlib.geometry import Roi
from tiny_run import SHAPE, VOXEL_SIZE, config

from lsd.arrays.lookup import components, relabel
from lsd.evaluation.partition import compare
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.fragments import fragments
from lsd.spec import Dataset
from lsd.training import window as windows
from lsd.training.loop import train
from lsd.training.validation import Validator
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.source import Source


def _masked(folder, variant, mask, *, region=(), evaluate=None, context=(4, 4, 4)):
    """A run of two iterations whose validation volume has this mask, and its network."""
    run = config(folder, variant, iterations=2)
    checkpoint = train(run, progress=False)
    roi = Roi((0, 0, 0), SHAPE)
    create_array(
        folder / "tiny.zarr", "mask", roi=roi, voxel_size=VOXEL_SIZE, dtype=np.uint8
    ).write(mask.astype(np.uint8), roi)
    volume = run.dataset.train[0].derive(region=region, labels_mask="mask")
    run = run.derive(
        dataset=Dataset(train=run.dataset.train, validate=(volume,)),
        train=run.train.derive(validate_every=1),
        evaluate=run.evaluate.derive(**evaluate or {}),
        segment=run.segment.derive(context=context),
    )
    return run, from_checkpoint(checkpoint).cascade


def _arrays(folder):
    return [
        open_array(folder / "tiny.zarr", name).read(Roi((0, 0, 0), SHAPE))
        for name in ("raw", "labels")
    ]


def _by_hand(folder, run, cascade, roi, scored):
    """Scores by threshold of `roi`, segmented by itself."""
    raw, labels = _arrays(folder)
    affs = predict_array(
        Predictor(cascade, run.network), (raw / 127.5 - 1).astype(np.float32), roi=roi
    )["affs"]
    affs = np.rint(affs * 255).astype(np.uint8)
    parts = fragments(affs, min_seed_distance=4)
    edges, scores = agglomerate(affs, parts)
    ids = np.unique(parts)
    found = {}
    for threshold in run.segment.thresholds:
        segmentation = relabel(parts, ids, components(ids, edges, scores, threshold))
        found[threshold] = compare(
            segmentation[scored[roi.to_slices()]], labels[roi.to_slices()][scored[roi.to_slices()]]
        )
    return found


@pytest.mark.parametrize("use_mask", [True, False])
def test_what_the_mask_hides_is_scored_only_if_asked_for(tmp_path, use_mask) -> None:
    rng = np.random.default_rng(0)
    mask = np.kron(rng.random((10, 10, 10)) < 0.6, np.ones((4, 4, 4))).astype(bool)
    region = ((28, 40), (0, 24), (0, 24))
    run, cascade = _masked(tmp_path, "aff", mask, region=region, evaluate={"use_mask": use_mask})
    found = Validator(run, run.variant.stages[0])(cascade)
    roi = Roi((28, 0, 0), (12, 24, 24))
    everything = np.ones(SHAPE, bool)
    wanted, other = (
        _by_hand(tmp_path, run, cascade, roi, scored)
        for scored in (mask, everything)[:: 1 if use_mask else -1]
    )
    assert dict(found.sweep) == wanted
    assert dict(found.sweep) != other


def _corner(*boxes):
    mask = np.zeros(SHAPE, bool)
    for box in boxes:
        mask[box] = True
    return mask


CORNER = _corner(np.s_[30:40, 5:14, 20:32])


def test_where_truth_is_rare_the_rest_is_not_predicted(tmp_path) -> None:
    run, cascade = _masked(tmp_path, "aff", CORNER)
    validator = Validator(run, run.variant.stages[0])
    roi = Roi((26, 1, 16), (14, 17, 20))
    assert validator.rois == [roi]
    assert dict(validator(cascade).sweep) == _by_hand(tmp_path, run, cascade, roi, CORNER)


def test_the_loss_is_that_of_the_whole_volume(tmp_path, monkeypatch) -> None:
    """The context of targets is part of what is looked at, so nothing changes for what is known."""
    run, cascade = _masked(tmp_path, "lsd", CORNER, context=(0, 0, 0))
    stage = run.variant.stages[0]
    narrow = Validator(run, stage)
    monkeypatch.setattr(windows, "WORTH", 0)
    whole = Validator(run, stage)
    assert narrow.rois[0].size * 4 < whole.rois[0].size == np.prod(SHAPE)
    assert narrow(cascade).score == pytest.approx(whole(cascade).score, rel=1e-5)


@pytest.mark.parametrize(
    "mask",
    [
        np.ones(SHAPE, bool),
        _corner(np.s_[0:2, 0:2, 0:2], np.s_[38:, 38:, 38:]),
        _corner(np.s_[5:35, 5:35, 5:35]),
    ],
    ids=["all", "two corners", "most"],
)
def test_dense_truth_is_validated_as_a_whole(tmp_path, mask) -> None:
    run, _ = _masked(tmp_path, "aff", mask)
    assert Validator(run, run.variant.stages[0]).rois == [Roi((0, 0, 0), SHAPE)]


def test_dense_truth_is_not_searched(tmp_path, monkeypatch) -> None:
    """Both ends of it say that it is dense."""
    run, _ = _masked(tmp_path, "aff", np.ones(SHAPE, bool))
    read, original = [], Source.read
    monkeypatch.setattr("lsd.volumes.known_voxels._block_shape", lambda array: np.array([4, 4, 4]))
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(self.name) or original(self, slices)
    )
    Validator(run, run.variant.stages[0])
    assert read.count("labels") <= 4


def test_what_is_ignored_is_not_looked_for(tmp_path) -> None:
    """Labels that are ignored lie everywhere; one that is not in one place.  Where masks do not
    matter they hide nothing."""
    _arrays_before = config(tmp_path, "aff")
    del _arrays_before
    labels = _arrays(tmp_path)[1]
    kept = int(labels[35, 8, 26])
    others = tuple(int(n) for n in np.unique(labels) if n != kept)
    run, _ = _masked(tmp_path, "aff", ~CORNER, evaluate={"use_mask": False, "ignore": (0, *others)})
    (roi,) = Validator(run, run.variant.stages[0]).rois
    where = np.argwhere(labels == kept)
    expected = Roi(where.min(axis=0), where.max(axis=0) + 1 - where.min(axis=0)).grow(
        (4, 4, 4), (4, 4, 4)
    )
    assert roi == expected.intersect(Roi((0, 0, 0), SHAPE))
