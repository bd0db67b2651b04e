"""A decoder that is defined outside of lsd is told over blocks what it is told in memory, and what
it finds nothing in is said, whatever the range of its head."""

import json
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from kinds_outside.decoders import Above, Dark
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.blockwise.on_disk.job import Job
from lsd.evaluation.run import evaluate
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Learned, Prediction
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.predicted import prediction_input
from lsd.segmentation.run import segment
from lsd.spec import (
    Components,
    Config,
    Dataset,
    Decoder,
    Descriptors,
    Head,
    Interior,
    InteriorBoundary,
    Network,
    Segment,
    SignedDistance,
    Stage,
    Target,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.kinds import import_kinds
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

IMPORTS = ("kinds_outside.decoders",)
import_kinds(IMPORTS)
ROI, SIZE = Roi((3, -4, 7), (12, 20, 24)), (8.0, 4.0, 4.0)
BLOCKS = {"block": (6, 7, 9), "context": (1, 1, 1)}
# workers are processes that import much
BY_WORKERS = pytest.param(2, marks=pytest.mark.slow)


def smooth(seed: int, channels: int) -> np.ndarray:
    """uint8 that looks like a prediction."""
    noise = np.random.default_rng(seed).random((channels, *ROI.shape))
    noise = ndimage.gaussian_filter(noise, (0, 1.2, 1.2, 1.2))
    low, high = np.percentile(noise, [5, 90])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


def run(
    folder: Path, target: Target, values: np.ndarray, decoder: Decoder, *, limits=(0, 1), **segment
) -> Config:
    """A volume of which these values (c, z, y, x), in `limits`, are predicted as "head"."""
    labels = ndimage.label(smooth(0, 1)[0] < 110)[0].astype(np.uint64)
    for name, data in {"raw": smooth(5, 1)[0], "labels": labels}.items():
        array = create_array(folder / "data.zarr", name, roi=ROI, voxel_size=SIZE, dtype=data.dtype)
        array.write(data, ROI)
    volume = Volume(path="data.zarr", raw="raw", labels="labels", name="em")
    trunk = UNet(features=2, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    config = Config(
        imports=IMPORTS,
        name="run",
        dataset=Dataset(validate=(volume,)),
        variant=Variant(stages=(Stage(heads={"head": Head(target=target)}),)),
        network=Network(trunk=trunk, train_shape=(18, 18, 18)),
        predict={"volumes": ("validate",), "device": "cpu", "threads": 1},
        segment=Segment(decoder=decoder, **segment),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    array = create_array(
        prediction(config, "em"),
        "head",
        roi=ROI,
        voxel_size=SIZE,
        dtype=values.dtype,
        channels=len(values),
        attributes={"prediction": {"values": limits}},
    )
    array.write(values, ROI)
    return config


def read(config: Config, name: str) -> np.ndarray:
    return open_array(segmentation(config, "em"), name).read(ROI)


@pytest.mark.parametrize("workers", [0, BY_WORKERS])
def test_blocks_know_the_channels_by_name(tmp_path, workers) -> None:
    """As the decoder does in memory, where validation asks it."""
    values = smooth(2, 2)
    asked = Above(head="head", channel="boundary", level=0.6)
    config = run(
        tmp_path, InteriorBoundary(width=2), values, asked, **BLOCKS, workers={"count": workers}
    )
    segment(config)
    expected, found = ndimage.label(values[1] > 0.6 * 255)[0], read(config, "segmentation/above")
    pairs = count_pairs(found, expected)
    assert len(pairs.first) == len(np.unique(found)) == len(np.unique(expected))
    assert evaluate(config).volumes["em"].scored is not None


def jobs(head: HeadInput, *decoders: Decoder) -> list[Job]:
    """The first steps of decoders that read it."""
    found = []
    for decoder in decoders:
        inputs = Inputs(Segment(decoder=decoder, **BLOCKS), ROI, {"head": head}, None)
        found.append(decoder_of(inputs.settings).first(inputs, Path()).job)
    return found


def test_jobs_hold_all_that_is_known_of_a_head(tmp_path) -> None:
    """In a process of workers as here; the results of this package's decoders depend on no more
    than they did."""
    config = run(tmp_path, InteriorBoundary(width=2), smooth(2, 2), Above(head="head"))
    array = prediction_input(open_array(prediction(config, "em"), "head"), revision=None)
    offsets, learned = ((0, 0, 0), (0, -2, 1)), Learned(Descriptors(sigma=9.5, mode="sphere"), 3)
    full = HeadInput(array, None, offsets, ("one", "two"), learned)
    plain = HeadInput(array, None)
    for head in (full, plain):
        for job in jobs(head, Above(head="head"), Dark(head="head")):
            again = type(job).model_validate_json(json.dumps(job.record()))
            assert again.inputs() == {"head": head}
            assert again.fingerprint() == job.fingerprint()
    described = {"version", "heads", "neighborhoods", "settings"}
    for head in (full, plain):
        of_blocks, foreground = jobs(head, Interior(head="head"), Components(head="head"))
        assert of_blocks.fingerprint().keys() == {*described, "mask"}
        assert foreground.fingerprint().keys() == {*described, "names", "occupancies"}
    told, untold = (jobs(head, Above(head="head"))[0].fingerprint() for head in (full, plain))
    assert told.keys() - untold.keys() == {"names", "occupancies", "learned"}


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_nothing_is_told_of_a_head_that_reaches_below_0(tmp_path, caplog, dtype) -> None:
    """The words are of what the head gave, and the segmentation of nothing is whole."""
    stored = 5 + smooth(0, 1) // 2
    distance = stored if dtype == np.uint8 else (stored * (2 / 255) - 1).astype(dtype)
    asked = Above(head="head", level=5.0)
    config = run(tmp_path, SignedDistance(), distance, asked, limits=(-1, 1))
    head = Prediction(distance, None, (-1, 1))
    ends = {"a": head, "b": Prediction(np.full((2, *ROI.shape), 77, np.uint8))}
    expected = np.maximum(stored[0], 77) / 255
    found = decoder_of(config.segment).strength(ends, config.segment)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    segment(config)
    low, high = (f"{float(end) * 2 / 255 - 1:.3g}" for end in (stored.min(), stored.max()))
    assert f"em: no fragments: what was predicted lies in {low}..{high}; see" in caplog.text
    assert not read(config, "segmentation/above").any()
