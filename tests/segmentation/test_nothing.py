"""Segmenting into nothing is said with its cause, and the number of segments always."""

import logging
import re
import shutil

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.segmentation.fragments import fragments
from lsd.segmentation.run import segment
from lsd.spec import (
    NEAREST,
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Mutex,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI, SIZE = Roi((0, 3, -2), (8, 20, 22)), (4.0, 4.0, 4.0)
FAR = (*NEAREST, (0, -4, 0), (0, 0, -4))
BLOCKS = {
    "watershed": Segment(thresholds=(0.5,)),
    "blocks": Segment(thresholds=(0.5,), block=(8, 10, 11), context=(2, 2, 2)),
}
DECODERS = {**BLOCKS, "mutex": Segment(decoder="mutex")}


def made(folder, affs, settings, *, mask=None):
    mask = np.ones(ROI.shape, np.uint8) if mask is None else mask.astype(np.uint8)
    for name, data in (("raw", np.ones(ROI.shape, np.uint8)), ("mask", mask)):
        create_array(folder / "data.zarr", name, roi=ROI, voxel_size=SIZE, dtype=np.uint8).write(
            data, ROI
        )
    config = Config(
        name="run",
        dataset=Dataset(test=(Volume(path="data.zarr", raw="raw", labels_mask="mask"),)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities(neighborhood=FAR))}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=settings,
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    path = prediction(config, "data_test")
    create_array(
        path, "affs", roi=ROI, voxel_size=SIZE, dtype=affs.dtype, channels=len(affs)
    ).write(affs, ROI)
    return config


def cells(high, low, dtype=np.uint8):
    """Two cells: `low` between them, `high` inside."""
    affs = np.full((len(FAR), *ROI.shape), high, dtype)
    affs[2, :, :, 11] = low
    affs[4, :, :, 11:15] = low
    return affs


@pytest.mark.parametrize("way", DECODERS)
@pytest.mark.parametrize(
    ("affs", "options", "words"),
    [
        (cells(0, 0), {}, "all affinities are 0"),
        (cells(1, 0), {}, "uint8 and none is above 1.*store 255 instead"),
        (cells(100, 3), {}, r"0\.0118\.\.0\.392"),
        (cells(255, 0), {"use_mask": True}, "the mask is empty"),
    ],
    ids=["zero", "a mask saved as uint8", "unsure", "empty mask"],
)
def test_nothing_is_explained(tmp_path, caplog, way, affs, options, words) -> None:
    settings = Segment(**{**DECODERS[way].model_dump(), **options})
    told = []
    config = made(tmp_path, affs, settings, mask=np.zeros(ROI.shape) if options else None)
    with caplog.at_level(logging.WARNING):
        segment(config, progress=told.append)
    what = "segments" if way == "mutex" else "fragments"
    (message,) = [
        record.getMessage() for record in caplog.records if "data_test: no" in record.getMessage()
    ]
    assert message.startswith(f"data_test: no {what}: ")
    assert re.search(words, message), message
    assert any(f"data_test: 0 {what}" in line for line in told)
    if way != "mutex":
        assert any("0 segments at threshold 0.5" in line for line in told)


def test_the_cause_is_the_one_that_there_is(tmp_path, caplog) -> None:
    def said(name, affs, **options):
        caplog.clear()
        segment(made(tmp_path / name, affs, Segment(thresholds=(0.5,), **options)), progress=str)
        return " ".join(record.getMessage() for record in caplog.records)

    text = said("threshold", cells(150, 150), fragments=Fragments(threshold=0.6))
    assert (
        "mean at a voxel is 0.588 at most, which is not above segment.fragments.threshold=0.6"
        in text
    )
    assert "all fragments were dropped" in said(
        "small", cells(200, 0), fragments=Fragments(min_size=10**6)
    )
    assert "above 0.7 (0.5 - segment.mutex.bias)" in said("mutex", cells(150, 0), decoder="mutex")
    assert "above 0.4 (0.5" in said(
        "bias", cells(90, 0), decoder="mutex", mutex=Mutex(bias=(0.1, -0.3))
    )


@pytest.mark.parametrize("way", DECODERS)
def test_numbers_of_what_there_is_are_said(tmp_path, caplog, way) -> None:
    told = []
    config = made(tmp_path, cells(255, 0), DECODERS[way])
    for _ in range(2):
        told.clear()
        segment(config, progress=told.append)
        if way == "mutex":
            assert any("data_test: 2 segments in 0:8, 3:23, -2:20" in line for line in told)
            found = open_array(segmentation(config, "data_test"), "segmentation/mutex").read(ROI)
            assert np.unique(found).tolist() == [1, 2]
        else:
            assert any(re.search(r"\d fragments?, ", line) for line in told)
            assert any(re.search(r"\d segments? at threshold 0.5", line) for line in told)
    assert not caplog.records


def test_bytes_of_0_and_1_are_told() -> None:
    affs = np.ones((3, 4, 5, 6), np.uint8)
    with pytest.warns(UserWarning, match="uint8 and none is above 1"):
        assert not fragments(affs).any()
    assert fragments(affs * np.uint8(255)).all()


def test_affinities_of_other_offsets_than_the_config_s_are_refused(tmp_path) -> None:
    config = made(tmp_path, cells(255, 0)[:3], BLOCKS["watershed"])
    with pytest.raises(
        ValueError,
        match=r"has 3 channels, and there are 5 offsets in head 'affs' of the config's variant",
    ):
        segment(config)
    path = prediction(config, "data_test")
    other = [list(offset) for offset in (*FAR[1:], FAR[0])]
    for stated, right in ((other, False), ([list(offset) for offset in FAR], True)):
        shutil.rmtree(path)
        array = create_array(
            path,
            "affs",
            roi=ROI,
            voxel_size=SIZE,
            dtype=np.uint8,
            channels=5,
            attributes={"neighborhood": stated},
        )
        array.write(cells(255, 0), ROI)
        if right:
            segment(config)
        else:
            with pytest.raises(ValueError, match=r"of the offsets \[\[0, -1, 0\], .*predict again"):
                segment(config)
