"""Volumes of which little is labelled are trained on."""

import logging
import math

import numpy as np
import pytest
from batch_making import assert_same, batches, config, make_volume, volume, write_arrays

from lsd import spec
from lsd.batches.pipeline import Batches
from lsd.batches.sources import location as nodes
from lsd.spec import Head
from lsd.volumes.source import Source

AFFS = Head(target=spec.Affinities())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(0)
    labels = np.zeros((200, 200, 200), np.uint64)
    labels[20:84, 100:164, 131:195] = np.kron(
        rng.integers(1, 99, (8, 8, 8)), np.ones((8, 8, 8), np.uint64)
    )
    raw = rng.integers(0, 255, labels.shape, np.uint8)
    write_arrays(
        folder / "cube.zarr",
        offset=(0, 0, 0),
        raw=raw,
        labels=labels,
        mask=(labels > 0).astype(np.uint8),
    )
    return folder


TURNED = (spec.Elastic(spacing=(20, 20, 20), jitter=(1, 1, 1), isotropic=True), spec.Simple())


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"labels_mask": "mask"}, {"unknown": 0}], ids=["mask", "unknown"]
)
@pytest.mark.parametrize(
    ("augment", "side"), [((), 24), ((), 64), (TURNED, 32)], ids=["small", "exact", "turned"]
)
def test_a_cube_of_truth_in_a_large_volume(root, options, augment, side, caplog):
    """Every seed finds places in it; each output has what min_masked asks for, and batches follow
    from seed and number."""
    share = 1.0 if side == 64 else 0.5
    made = config(
        root,
        volumes=(volume("cube.zarr", **options),),
        augment=augment,
        heads={"affs": AFFS},
        min_masked=share,
        batch_size=2,
    )
    shape = (side,) * 3
    for seed in range(2):
        run = made.derive(train=made.train.derive(seed=seed))
        seen = batches(run, 3, raw=shape, output=shape)
        for batch in seen:
            assert ((batch.labels > 0).mean(axis=(1, 2, 3, 4)) >= share).all()
    with Batches(run, "main", shape, shape, start=2) as later:
        assert_same(next(later), seen[2])
    crew = run.derive(train=run.train.derive(workers=2))
    with Batches(crew, "main", shape, shape) as by_others:
        assert_same(next(by_others), seen[0])
        assert_same(next(by_others), seen[1])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_too_little_truth_is_refused_at_the_start(root):
    """80 voxels a side: a cube of 64 is at most half of them, 51.2%."""
    made = config(
        root,
        volumes=(volume("cube.zarr", labels_mask="mask"),),
        heads={"affs": AFFS},
        min_masked=0.52,
    )
    message = (
        r"'cube_train': no output of 80x80x80 .*known to 0\.52 .*the best is to "
        r"0\.512.*min_masked.*region="
    )
    with pytest.raises(ValueError, match=message):
        Batches(made, "main", (80, 80, 80), (80, 80, 80))
    fits = made.derive(train=made.train.derive(min_masked=0.512))
    with Batches(fits, "main", (80, 80, 80), (80, 80, 80)) as iterator:
        assert (next(iterator).labels > 0).sum() == 64**3


def test_known_background_alone_is_told_apart(tmp_path):
    """Enough is known, but not where labels are."""
    labels = np.zeros((20, 20, 60), np.uint64)
    labels[:, :, 55:] = 3
    mask = np.ones(labels.shape, np.uint8)
    mask[:, :, 40:] = 0
    mask[0, 0, 57] = 1
    write_arrays(
        tmp_path / "v.zarr",
        raw=np.arange(24000).reshape(labels.shape).astype(np.uint8),
        labels=labels,
        mask=mask,
    )
    made = config(tmp_path, volumes=(volume("v.zarr", labels_mask="mask"),), heads={"affs": AFFS})
    with pytest.raises(
        ValueError, match=r"'v_train': no output of 8x8x8 voxels .*0\.5 .*the best is to 0\.001953"
    ):
        Batches(made, "main", (8, 8, 8), (8, 8, 8))


def test_dense_truth_is_hardly_looked_at(tmp_path, monkeypatch):
    """Before the first batch, truth of two outputs is read, however large the volume."""
    make_volume(tmp_path / "dense.zarr", shape=(80, 80, 80))
    made = config(tmp_path, volumes=(volume("dense.zarr"),), heads={"affs": AFFS})
    read, original = [], Source.read

    def noted(self, slices):
        if self.name == "labels":
            read.append(math.prod(part.stop - part.start for part in slices))
        return original(self, slices)

    monkeypatch.setattr(Source, "read", noted)
    monkeypatch.setattr(nodes.PlaceIndex, "of", None)  # nothing is looked for
    with Batches(made, "main", (8, 8, 8), (8, 8, 8)) as iterator:
        assert len(read) <= 16
        next(iterator)


def test_no_deformation_ends_training(root, caplog):
    """Turned, no output of 64 lies in a cube of 64: the best of many is taken, and it is said
    once."""
    made = config(
        root,
        volumes=(volume("cube.zarr", labels_mask="mask"),),
        augment=(spec.Elastic(rotation=(0.7, 0.8), isotropic=True),),
        heads={"affs": AFFS},
        min_masked=1.0,
    )
    for batch in batches(made, 2, raw=(64, 64, 64), output=(64, 64, 64)):
        assert 0.7 < (batch.labels > 0).mean() < 1
    (told,) = caplog.messages
    assert "deformed batches had less than 100%" in told
