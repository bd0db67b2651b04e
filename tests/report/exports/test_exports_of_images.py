"""Exports of a folder of images: coarser ones are of each image alone."""

import numpy as np
import pytest
import tifffile

from lsd.report.exports.run import export
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
