"""A prediction of another checkpoint than the run's own: its heads are those of the checkpoint."""

from shutil import rmtree

import numpy as np
import pytest
import torch
from funlib.geometry import Roi

from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.prediction.run import predict
from lsd.segmentation.decode import decode
from lsd.segmentation.run import segment
from lsd.spec import (
    NEAREST,
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI = Roi((2, 0, 3), (8, 20, 22))
FAR = (*NEAREST, (0, -3, 0), (0, 0, -3))
SOLID = UNet(features=2, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
FLAT = ResidualUNet(widths=(3, 4), factors=((2, 2),), kernel=(3, 3))
THRESHOLD = 0.1


def _config(folder, name, *, trunk=SOLID, head="affs", neighborhood=NEAREST, **changes):
    volume = Volume(path="em.zarr", raw="raw", labels="labels", name="em")
    return Config(
        name=name,
        dataset=Dataset(validate=(volume,)),
        variant=Variant(
            stages=Stage(heads={head: Head(target=Affinities(neighborhood=neighborhood))})
        ),
        network=Network(trunk=trunk, train_shape=(18,) * trunk.dims),
        predict=Predict(volumes="validate", checkpoint="latest", device="cpu", threads=1),
        runs=str(folder / "runs"),
        data_root=str(folder),
        **changes,
    )


@pytest.fixture
def trained(tmp_path):
    """A function that writes a checkpoint of a variant and gives its path."""
    rng = np.random.default_rng(3)
    labels = np.zeros(ROI.shape, np.uint64)
    labels[:, :10], labels[:, 10:] = 1, 2
    raw = rng.integers(0, 256, ROI.shape).astype(np.uint8)
    for name, data in (("raw", raw), ("labels", labels)):
        create_array(
            tmp_path / "em.zarr", name, roi=ROI, voxel_size=(8.0, 4.0, 4.0), dtype=data.dtype
        ).write(data, ROI)

    def write(**variant):
        config = _config(tmp_path, "theirs", **variant)
        torch.manual_seed(1)
        cascade = Cascade(config.variant, config.network.trunk)
        # outputs of random weights differ little: here they cover all of 0..1
        with torch.no_grad():
            for parameter in list(cascade.parameters())[-2:]:
                parameter *= 10
        content = {
            "config": config.model_dump_json(),
            "stage": config.variant.stages[0].name,
            "iteration": 7,
            "model": dict(cascade.state_dict()),
            "normalisation": {"to": [-1.0, 1.0]},
        }
        checkpoint.save(tmp_path / "theirs.pt", content)
        return str(tmp_path / "theirs.pt")

    return write


CHECKPOINTS = {
    "another head": {"head": "membranes"},
    "a head of that name with other offsets": {"neighborhood": FAR},
    "another head with other offsets": {"head": "far", "neighborhood": FAR},
    "a 2D network": {"head": "flat", "trunk": FLAT, "neighborhood": FAR},
}


def _segmented(config):
    [container] = segment(config)
    return open_array(container, f"segmentation/{THRESHOLD!r}").read(ROI)


@pytest.mark.parametrize("which", CHECKPOINTS)
def test_its_heads_are_segmented_and_scored(tmp_path, trained, which) -> None:
    theirs = CHECKPOINTS[which]
    head = theirs.get("head", "affs")
    settings = Segment(
        affinities=head,
        scoring="mean_all",
        thresholds=(THRESHOLD,),
        fragments=Fragments(min_seed_distance=3),
    )
    config = _config(tmp_path, "ours", segment=settings)
    config = config.derive(predict={"checkpoint": trained(**theirs), "heads": (head,)})
    predict(config)
    affs = open_array(prediction(config, "em"), head).read(ROI)
    offsets = theirs.get("neighborhood", NEAREST)
    if theirs.get("trunk") is FLAT:
        offsets = tuple(offset[1:] for offset in offsets if offset[0] == 0)
    assert len(affs) == len(offsets)
    expected = decode(affs, offsets, settings, first_section=2).segmentation(THRESHOLD)
    assert len(np.unique(expected)) > 3
    np.testing.assert_array_equal(_segmented(config), expected)
    labels = open_array(tmp_path / "em.zarr", "labels").read(ROI)
    assert evaluate(config).volumes["em"].scored == compare(expected, labels)
    # in blocks, and once the prediction is gone
    blocks = config.derive(segment={"block": (8, 8, 22)})
    segment(blocks)
    scores = evaluate(blocks).volumes["em"].sweep
    rmtree(prediction(config, "em"))
    assert evaluate(blocks).volumes["em"].sweep == scores


@pytest.mark.slow
def test_workers_segment_its_heads_as_this_process_does(tmp_path, trained) -> None:
    theirs = CHECKPOINTS["another head with other offsets"]
    settings = Segment(affinities="far", block=(8, 8, 22), thresholds=(THRESHOLD,))
    config = _config(tmp_path, "ours", segment=settings)
    config = config.derive(predict={"checkpoint": trained(**theirs)})
    predict(config)
    expected = _segmented(config)
    rmtree(segmentation(config, "em"))
    segments = _segmented(config.derive(segment={"workers": {"count": 1}}))
    np.testing.assert_array_equal(segments, expected)


def test_a_head_that_was_not_predicted_is_named(tmp_path, trained) -> None:
    config = _config(tmp_path, "ours").derive(predict={"checkpoint": trained(head="membranes")})
    predict(config)
    with pytest.raises(ValueError, match="names 'affs'; heads with affinities: membranes"):
        segment(config)


def test_mutex_asks_the_heads_of_the_checkpoint_for_far_affinities(tmp_path, trained) -> None:
    config = _config(tmp_path, "ours", neighborhood=FAR, segment=Segment(decoder="mutex"))
    near = config.derive(predict={"checkpoint": trained()})
    predict(near)
    with pytest.raises(ValueError, match="wants far affinities"):
        segment(near)
    with pytest.raises(ValueError, match="wants far affinities"):
        _config(tmp_path, "ours", segment=Segment(decoder="mutex"))


def test_what_records_no_variant_is_read_by_the_config(tmp_path, trained) -> None:
    config = _config(tmp_path, "ours", neighborhood=FAR)
    config = config.derive(predict={"checkpoint": trained()})
    predict(config)
    array = open_array(prediction(config, "em"), "affs")
    values = array.read(ROI)
    rmtree(prediction(config, "em"))
    create_array(
        prediction(config, "em"),
        "affs",
        roi=ROI,
        voxel_size=(8.0, 4.0, 4.0),
        dtype=np.uint8,
        channels=3,
    ).write(values, ROI)
    with pytest.raises(ValueError, match="has 3 channels, and there are 5 offsets in head 'affs'"):
        segment(config)
    assert not segmentation(config, "em").exists()
