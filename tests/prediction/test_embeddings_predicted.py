"""A head of embeddings is predicted as affinities: blocks against the whole, against the definition
of what the network gives, averaged over turns, and read by a later stage."""

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from predicted_run import LSDS, TRUNK

from lsd.network import sizes
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import files
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.spec import (
    Affinities,
    Discriminative,
    Embeddings,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Stage,
    Variant,
    Workers,
    paths,
)
from lsd.volumes.array import open_array

OFFSETS = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, -3, 2))
EMBEDDINGS = Head(
    target=Embeddings(neighborhood=OFFSETS, dimensions=5, dd=0.02), loss=Discriminative()
)
ONE = Variant(stages=(Stage(heads={"affs": EMBEDDINGS, "lsds": LSDS}),))
TWO = Variant(
    stages=(
        Stage(name="first", heads={"embeddings": EMBEDDINGS}),
        Stage(
            name="second",
            reads=("raw", "embeddings"),
            heads={"affs": Head(target=Affinities(neighborhood=OFFSETS))},
        ),
    )
)
RAW = np.random.default_rng(0).uniform(-1, 1, (48, 52, 50)).astype(np.float32)
INSIDE = Roi((14, 16, 12), (16, 18, 20))
FLAT = ResidualUNet(widths=(3, 4), factors=((2, 2),), kernel=(3, 3))


def cascade_of(variant, trunk=TRUNK):
    torch.manual_seed(2)
    return Cascade(variant, trunk).eval()


def predicted(variant, shape, *, raw=RAW, roi=INSIDE, trunk=TRUNK, **settings):
    """In blocks of a network input of this shape."""
    network = Network(trunk=trunk, train_shape=shape, predict_shape=shape)
    predictor = Predictor(
        cascade_of(variant, trunk), network, settings=Predict(device="cpu", threads=1, **settings)
    )
    assert len(predictor.plan(roi, voxel_size=(8,) * roi.dims).grid) > 1 or shape[0] > 30
    return predict_array(predictor, raw, roi=roi)


def by_definition(embeddings, dd):
    """Affinities (c, z, y, x) of embeddings (n, z, y, x), voxel pairs of rolled arrays."""
    found = []
    for offset in OFFSETS:
        neighbours = np.roll(embeddings, [-step for step in offset], axis=(1, 2, 3))
        found.append(np.maximum(1 - np.abs(embeddings - neighbours).sum(0) / (2 * dd), 0) ** 2)
    return np.stack(found)


def test_what_is_predicted_is_made_of_what_the_network_gives() -> None:
    """The network's grid of pooling begins with the farthest voxels that are needed below."""
    margin = (3, 5, 3)
    cascade, around = cascade_of(ONE), INSIDE.grow(margin, margin)
    read = Roi(around.begin - sizes.context(ONE, TRUNK), sizes.smallest_input(TRUNK, around.shape))
    with torch.inference_mode():
        raw = torch.from_numpy(RAW[read.to_slices()])[None, None]
        logits = cascade(raw)
    assert logits["affs"].shape[1] == 5
    truth = by_definition(logits["affs"][0].numpy(), 0.02)
    found = predicted(ONE, (26, 26, 26))
    kept = tuple(slice(m, m + n) for m, n in zip(margin, INSIDE.shape, strict=True))
    np.testing.assert_allclose(found["affs"], truth[:, *kept], atol=1e-5)
    assert 0.05 < found["affs"].mean() < 0.95, "neither 0 nor 1 everywhere"
    np.testing.assert_allclose(found["lsds"], logits["lsds"][0].sigmoid()[:, *kept], atol=1e-6)


@pytest.mark.parametrize("variant", [ONE, TWO], ids=["a stage", "read by a later stage"])
def test_blocks_equal_the_whole(variant) -> None:
    """Both ends of a pair are in one block, wherever its border is."""
    parts = [predicted(variant, shape) for shape in ((22, 26, 24), (26, 22, 30))]
    whole = predicted(variant, (50, 50, 50))
    for part in parts:
        for name, head in whole.items():
            np.testing.assert_allclose(part[name], head, atol=2e-6)


@pytest.mark.parametrize("opinions", ["mean", "lowest"])
def test_blocks_that_are_averaged_over_flips_equal_the_whole(opinions) -> None:
    settings = {"augment": "flips", "opinions": opinions, "heads": ("affs",)}
    part, whole = (predicted(ONE, (n,) * 3, **settings)["affs"] for n in (26, 50))
    np.testing.assert_allclose(part, whole, atol=2e-6)
    once = predicted(ONE, (26,) * 3, heads=("affs",))["affs"]
    assert np.abs(part - once).max() > 1e-3
    if opinions == "lowest":
        assert (part <= once + 2e-6).all()


def test_sections_of_a_2d_network() -> None:
    target = EMBEDDINGS.target.derive(neighborhood=((-1, 0), (0, -1), (3, 2)))
    variant = Variant(stages=(Stage(heads={"affs": EMBEDDINGS.derive(target=target)}),))
    found = predicted(variant, (40, 40), trunk=FLAT)["affs"]
    assert found.shape == (3, *INSIDE.shape)
    one = predicted(variant, (40, 40), trunk=FLAT, raw=RAW[14], roi=Roi((16, 12), (18, 20)))["affs"]
    np.testing.assert_allclose(found[:, 0], one, atol=1e-5)
    assert found.std() > 0.01


def test_on_disk(make) -> None:
    config, _ = make(variant=ONE, heads=("affs",))
    [container] = predict(config, progress=False)
    array = open_array(container, "affs")
    stored, attributes = array.read(array.roi), dict(array.source.handle.attrs)
    assert (stored.dtype, len(stored)) == (np.uint8, len(OFFSETS))
    assert attributes["neighborhood"] == [list(offset) for offset in OFFSETS]
    assert attributes["prediction"]["values"] == [0, 1]
    assert 5 < stored.mean() < 250


@pytest.mark.slow
def test_workers_write_what_one_process_writes(make) -> None:
    config, _ = make(variant=TWO, augment="flips")
    path = paths.checkpoints(config, "second") / files.file_name(7)
    crew = config.derive(name="crew", predict={"checkpoint": str(path)})
    [alone] = predict(config, progress=False)
    [shared] = predict(crew, workers=Workers(count=2), progress=False)
    one, other = (open_array(container, "affs") for container in (alone, shared))
    np.testing.assert_array_equal(one.read(one.roi), other.read(other.roi))
