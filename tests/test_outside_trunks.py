"""A trunk from outside of the package: trained, kept in a checkpoint, predicted in blocks by other
processes, and its cost estimated."""

from math import prod

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from kinds_outside.trunks import Plain, PlainTrunk, Strided

from lsd.network import cost, sizes
from lsd.network.cascade import Cascade
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.network.levels import Levels
from lsd.network.trunks.trunk import Architecture, architecture
from lsd.network.walk import Walk
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.spec import (
    Affinities,
    Boundary,
    Config,
    Dataset,
    Head,
    Network,
    Predict,
    Stage,
    Train,
    UNet,
    Variant,
    Volume,
    Workers,
)
from lsd.spec.kinds import import_kinds
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

VARIANT = Variant(
    stages=(
        Stage(name="first", heads={"boundary": Head(target=Boundary())}),
        Stage(name="main", reads=("raw", "boundary"), heads={"affs": Head(target=Affinities())}),
    )
)
SHAPE, VOXEL_SIZE = (30, 28, 26), (8.0, 8.0, 8.0)
ROI = Roi((0, 0, 0), SHAPE)


@pytest.fixture(scope="module", autouse=True)
def imported():
    import_kinds(["kinds_outside.trunks"])


def _config(folder) -> Config:
    cells = (np.indices(SHAPE) // 9 * np.array([1, 4, 16]).reshape(-1, 1, 1, 1)).sum(0) + 1
    raw = np.random.default_rng(0).integers(0, 256, SHAPE)
    for name, data in {"raw": raw.astype(np.uint8), "labels": cells.astype(np.uint64)}.items():
        create_array(
            folder / "em.zarr", name, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype
        ).write(data, ROI)
    volume = Volume(path="em.zarr", raw="raw", labels="labels", name="em")
    return Config(
        imports="kinds_outside.trunks",
        name="plain",
        dataset=Dataset(train=volume, test=volume.derive(name="other")),
        variant=VARIANT,
        network=Network(trunk=Plain(width=4), train_shape=(14, 14, 14)),
        train=Train(iterations=2, workers=0, threads=1, device="cpu", log_every=1),
        predict=Predict(
            volumes=("test",), checkpoint="latest", shape=(18, 18, 18), device="cpu", threads=1
        ),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )


@pytest.mark.slow
def test_it_is_trained_and_predicts_in_blocks_what_it_predicts_of_the_whole(tmp_path):
    config = _config(tmp_path)
    restored = from_checkpoint(train(config, progress=False))
    assert restored.config == config
    assert {name.rpartition(".")[0] for name in restored.cascade.stage("main").state_dict()} == {
        "trunk.0.0", "trunk.1.0", "trunk.2.0", "heads.head_affs",
    }  # fmt: skip

    [path] = predict(config, workers=Workers(count=1, timeout=300), progress=False)
    array = open_array(path, "affs")
    whole = config.predict.derive(shape=None, memory=4.0)
    predictor = Predictor(restored.cascade, config.network, settings=whole)
    raw = open_array(tmp_path / "em.zarr", "raw").read(ROI)
    expected = predict_array(predictor, raw)["affs"]
    assert array.roi == ROI
    np.testing.assert_allclose(array.read(ROI) / 255, expected, atol=0.51 / 255)


def test_sizes_follow_from_its_levels():
    trunk = Plain(depth=2)
    assert sizes.step(trunk) == (1, 1, 1)
    assert sizes.output_shape(trunk, (9, 8, 7)) == (5, 4, 3)
    assert sizes.raw_shape(VARIANT, trunk, (9, 8, 7)) == (13, 12, 11)


def test_its_cost_is_measured():
    trunk = Plain(width=5)
    inputs = {"first": (20, 20, 20), "main": (14, 14, 14)}
    weights = sum(parameter.numel() for parameter in Cascade(VARIANT, trunk).parameters())
    assert cost.parameters(trunk, VARIANT) == weights
    layers = [(a, b, n) for a, b, n in ((1, 5, 18), (5, 5, 16), (5, 5, 14))]
    expected = sum(27 * a * b * n**3 for a, b, n in layers) + 5 * 14**3
    layers = [(a, b, n) for a, b, n in ((2, 5, 12), (5, 5, 10), (5, 5, 8))]
    expected += sum(27 * a * b * n**3 for a, b, n in layers) + 3 * 5 * 8**3
    assert cost.macs(trunk, inputs, VARIANT) == expected
    small, large = (
        cost.memory(trunk, {"first": (n + 6,) * 3, "main": (n,) * 3}, VARIANT) for n in (14, 94)
    )
    # its first layer reads one map and gives five, of four bytes each
    assert small < large
    assert large - small > 4 * (100**3 + 5 * 98**3)
    biggest = sizes.largest_input(VARIANT, trunk, memory_bytes=2e9)
    assert cost.memory(trunk, sizes.stage_inputs(VARIANT, trunk, biggest), VARIANT) <= 2e9


class Measured(Architecture):
    """A U-Net that says only its sizes: all else is measured."""

    def module(self, in_channels):
        return architecture(self.spec).module(in_channels)

    @property
    def levels(self):
        return architecture(self.spec).levels


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("upsample", ["transposed", "nearest"])
def test_what_is_measured_of_a_u_net_is_what_it_says(padding, upsample):
    spec = UNet(
        features=3, multiplier=2, factors=((2, 2, 2), (1, 2, 2)), padding=padding, upsample=upsample
    )
    stated, measured = architecture(spec), Measured(spec)
    shape = stated.extent(training=True).smallest_input((40, 40, 40))
    walks = Walk(2, shape), Walk(2, shape)
    stated.walk(walks[0])
    measured.walk(walks[1])
    assert measured.features_out == stated.features_out
    assert measured.extent() == stated.extent()
    one, other = ((walk.channels, walk.shape, walk.macs, walk.parameters) for walk in walks)
    assert one == other
    # what enters counts all the time, since whoever gives it may hold it
    assert walks[1].peak == walks[0].peak + 2 * prod(shape)


@pytest.mark.parametrize("features_out", [None, 3])
def test_a_trunk_may_say_its_sizes_itself(features_out):
    trunk = Strided(features_out=features_out)
    assert architecture(trunk).features_out == (features_out or 5)
    raw = sizes.raw_shape(VARIANT, trunk, (10, 12, 8))
    assert raw == (14, 16, 12)
    with torch.device("meta"):
        logits = Cascade(VARIANT, trunk)(torch.empty(1, 1, *raw))
    assert logits["affs"].shape == (1, 3, 6, 8, 4)
    with pytest.raises(ValueError, match="11x12x8 does not fit the trunk; nearest"):
        sizes.output_shape(trunk, (11, 12, 8))


class Wrong(PlainTrunk):
    @property
    def levels(self):
        return Levels(kernels=(((3, 3, 3),),))


class Silent(PlainTrunk):
    levels = Architecture.levels


def test_sizes_that_are_wrong_or_missing_are_told():
    with pytest.raises(
        ValueError, match=r"trunk 'plain' gives \(3, 3, 3\) .* its sizes say \(7, 7, 7\); correct"
    ):
        Wrong(Plain()).walk(Walk(1, (9, 9, 9)))
    with pytest.raises(ValueError, match=r"trunk 'plain' .* its sizes say"):
        _ = Wrong(Plain(depth=0)).features_out
    with pytest.raises(TypeError, match=r"'plain' does not say .* levels, or extent"):
        Silent(Plain()).extent()


def test_measuring_leaves_the_generators_of_numbers_alone():
    before = torch.get_rng_state()
    architecture(Plain(width=7)).walk(Walk(3, (9, 9, 9)))
    assert torch.equal(torch.get_rng_state(), before)
