"""Exports of a folder of images: coarser ones are of each image alone."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lsd.report.exports.correct import correct
from lsd.report.exports.run import export, exported_volumes
from lsd.report.images import images_of
from lsd.segmentation.run import segment
from lsd.spec import (
    Config,
    Dataset,
    Foreground,
    Head,
    Images,
    Network,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export, OmeZarr, Precomputed
from lsd.spec.paths import exported, prediction
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

tensorstore = pytest.importorskip("tensorstore")
SIDE, NAMES = 16, ("mask", "segmentation/0.5")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """An object fills the first image, none is in the second, one fills half of the third."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(4):
        tifffile.imwrite(root / f"{number}.tif", rng.integers(0, 255, (SIDE, SIDE), np.uint8))
    trunk = UNet(features=2, multiplier=2, factors=((2, 2),), kernels=((3, 3),))
    made = Config(
        name="run",
        dataset=Dataset(test=Volume(images=Images(images="*.tif"), name="em")),
        variant=Variant(stages=Stage(heads={"mask": Head(target=Foreground())})),
        network=Network(trunk=trunk, train_shape=(18, 18)),
        segment=Segment(decoder={"kind": "components", "head": "mask"}, thresholds=(0.5,)),
        runs=str(root / "runs"),
        data_root=str(root),
    )
    volume = open_volume(made.dataset.volumes()["em"], name="em", data_root=root)
    mask = np.zeros((1, *volume.roi.shape), np.uint8)
    mask[0, 0], mask[0, 2, : SIDE // 2] = 255, 255
    create_array(
        prediction(made, "em"), "mask", roi=volume.roi, voxel_size=volume.voxel_size,
        dtype=np.uint8, channels=1, calibrated=False,
    ).write(mask, volume.roi)  # fmt: skip
    segment(made, progress=lambda line: None)
    return made


def check(sections, name):
    """Half of the third image is of whole voxels of a level."""
    assert len(sections) == 4
    filled = np.zeros(sections.shape, bool)
    filled[0], filled[2, : sections.shape[1] // 2] = True, True
    np.testing.assert_array_equal(sections > 0, filled)
    values = [np.unique(section[section > 0]).tolist() for section in sections]
    one, two = ([255], [255]) if name == "mask" else ([1], [2])
    assert values == [one, [], two, []]


def test_ome_zarr_of_images(config) -> None:
    export(config, Export(formats=OmeZarr(levels=4), images=("raw", "mask", "segmentation")))
    container = exported(config, "em") / "em.zarr"
    for level in (1, 2, 3):
        for name in NAMES:
            array = open_array(container, f"{name}/{level}")
            check(array.read(array.roi).reshape(array.shape[-3:]), name)
    raw, coarse = (open_array(container, name) for name in ("raw", "raw/1"))
    boxes = raw.read(raw.roi).reshape(4, SIDE // 2, 2, SIDE // 2, 2)
    means = np.rint(boxes.astype(float).mean(axis=(2, 4)))
    np.testing.assert_array_equal(coarse.read(coarse.roi), means)


@pytest.mark.parametrize(("levels", "sides"), [(None, [16, 8]), (4, [16, 8, 4, 2])])
def test_precomputed_of_images(config, levels, sides) -> None:
    """By default until a chunk holds an image, not all of them."""
    spec = Precomputed(chunk=(2, 8, 8), levels=levels)
    folders = export(config, Export(formats=spec, images=("mask", "segmentation")))
    for name, folder in zip(NAMES, folders, strict=True):
        kvstore = {"driver": "file", "path": f"{folder}/"}
        for index, side in enumerate(sides):
            driver = {"driver": "neuroglancer_precomputed", "kvstore": kvstore}
            found = tensorstore.open({**driver, "scale_index": index}).result()
            sections = found[..., 0].read().result().T
            assert sections.shape[1:] == (side, side)
            check(sections, name)
        with pytest.raises(ValueError, match="scale_index"):
            tensorstore.open({**driver, "scale_index": len(sides)}).result()


def test_the_viewer_joins_no_images(config) -> None:
    pytest.importorskip("neuroglancer")
    from lsd.report.viewer.served import served

    images = images_of(config, "em")
    assert {"raw", *NAMES} <= set(images)
    for image in images.values():
        assert image.by_image
        assert served(image).url.max_downsampling == 1


@pytest.mark.parametrize("by", ["trusted", "painted"])
def test_what_is_corrected_in_an_image_says_nothing_of_others(config, tmp_path, by) -> None:
    """Its margin lies in the image, whose neighbours in the list are no neighbours in the world."""
    [volume] = exported_volumes(config, Export(threshold=0.5), progress=lambda line: None)
    array = volume.segmentation.array
    told = array.read(array.roi)
    if by == "painted":
        ids = np.where(np.arange(4)[:, None, None] == 2, told, 0)
        create_array(
            tmp_path / "painted.zarr", "labels", roi=array.roi, voxel_size=array.voxel_size,
            dtype=np.uint64, calibrated=False,
        ).write(ids, array.roi)  # fmt: skip
        corrections = Corrections(painted=f"{tmp_path}/painted.zarr:labels", margin=3)
    else:
        corrections = Corrections(trusted=(int(told[2].max()),), margin=3)
    container = correct(volume, corrections)
    known = np.zeros(told.shape, np.uint8)
    known[2, : SIDE // 2 + 3] = 1
    for name, wanted in (("labels", told), ("labels_mask", known)):
        found = open_array(container, name)
        np.testing.assert_array_equal(found.read(found.roi), wanted)
    learnt = Volume(
        images=Images(images="*.tif"), labels=f"{container}:labels",
        labels_mask=f"{container}:labels_mask", fit="intersect",
    )  # fmt: skip
    opened = open_volume(learnt, name="em", data_root=Path(config.data_root))
    np.testing.assert_array_equal(opened.read_known(opened.roi), known)
