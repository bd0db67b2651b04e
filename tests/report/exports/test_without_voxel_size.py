"""Exports of a run whose volume has no voxel size: places are in voxels, and nothing is said in
nm."""

import csv
import re

import numpy as np
import pytest
from funlib.geometry import Roi
from image_folders import write_tree
from scipy import ndimage
from segmented_run import make_config

from lsd.cli.commands.density import main
from lsd.evaluation.error_sites.sites import Site
from lsd.objects.segmented import objects_of
from lsd.prediction.config_file import keep_config
from lsd.report.exports.run import export
from lsd.report.page.sites import sites
from lsd.segmentation.run import segment
from lsd.spec import Dataset, Images, Network, ResidualUNet, Volume
from lsd.spec.exports import Export
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

THRESHOLD = 0.6
TRUNK = ResidualUNet(factors=((2, 2),) * 4, kernel=(3, 3))


@pytest.fixture(scope="module")
def images_run(tmp_path_factory):
    """Config and name of a volume of images, predicted by noise, and segmented."""
    folder = tmp_path_factory.mktemp("images")
    config = make_config(folder)
    images = Images(images="mito/*/images/*.tiff", masks="mito/*/masks/*.tiff")
    config = config.derive(
        dataset=Dataset(validate=(Volume(images=images),)),
        network=Network(trunk=TRUNK, train_shape=(16, 16)),
        predict=config.predict.derive(volumes=("validate",)),
        data_root=str(write_tree(folder)),
    )
    [name] = config.dataset.volumes()
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=folder)
    assert not volume.calibrated
    noise = np.random.default_rng(0).random((2, *volume.roi.shape))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 1.5, 1.5))
    values = np.clip((smooth - smooth.min()) / np.ptp(smooth) * 255, 0, 255).astype(np.uint8)
    create_array(
        prediction(config, name), "affs", roi=volume.roi, voxel_size=volume.voxel_size,
        calibrated=False, dtype=np.uint8, channels=2,
        attributes={"neighborhood": [[0, -1, 0], [0, 0, -1]]},
    ).write(values, volume.roi)  # fmt: skip
    segment(config, progress=lambda line: None)
    keep_config(config, sections=("segment",))
    return config, name


def rows(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_places_of_segments_are_in_voxels(images_run) -> None:
    config, name = images_run
    file, *_ = export(config, Export(formats="segments", threshold=THRESHOLD))
    array = open_array(segmentation(config, name), f"segmentation/{THRESHOLD}")
    labels = array.read(array.roi)
    listed = rows(file)
    assert not [column for column in listed[0] if "nm" in column or "um" in column]
    assert [int(row["id"]) for row in listed] == np.unique(labels[labels > 0]).tolist()
    for row in listed:
        places = np.argwhere(labels == int(row["id"]))
        assert int(row["voxels"]) == len(places)
        assert [float(row[f"begin_{axis}"]) for axis in "zyx"] == places.min(axis=0).tolist()
        assert [float(row[f"end_{axis}"]) for axis in "zyx"] == (places.max(axis=0) + 1).tolist()
        middle = np.array([float(row[axis]) for axis in "zyx"])
        assert (np.abs(middle - places.mean(axis=0) - 0.5) <= 0.5).all()


def test_places_of_contacts_are_in_voxels(images_run) -> None:
    config, name = images_run
    files = export(config, Export(formats="graph", threshold=THRESHOLD))
    fragments, edges = (rows(file) for file in files if file.suffix == ".csv")
    assert not [column for column in (*fragments[0], *edges[0]) if re.search("nm|um", column)]
    array = open_array(segmentation(config, name), "fragments")
    ids = array.read(array.roi)
    touching = [row for row in edges if int(row["faces"])]
    assert touching
    for row in touching:
        u, v = (np.argwhere(ids == int(row[end])) for end in "uv")
        # a contact lies in the box of either, up to its faces
        place = np.array([float(row[axis]) for axis in "zyx"])
        for own in (u, v):
            assert ((own.min(axis=0) <= place) & (place <= own.max(axis=0) + 1)).all()


@pytest.mark.parametrize("kind", ["meshes", "skeletons"])
def test_what_is_made_by_nm_is_refused(images_run, kind) -> None:
    config, _ = images_run
    with pytest.raises(ValueError, match=r"is in nm, and the volume has no voxel size"):
        export(config, Export(formats=kind, threshold=THRESHOLD))


def test_a_format_that_wants_a_voxel_size_says_so(images_run) -> None:
    pytest.importorskip("tensorstore")
    config, _ = images_run
    told = []
    export(config, Export(threshold=THRESHOLD), progress=told.append)
    assert any("has no voxel size" in line and "1 nm" in line for line in told)


def test_densities_in_mm3_are_refused(tmp_path, capsys) -> None:
    roi = Roi((0, 0, 0), (4, 6, 8))
    array = create_array(
        tmp_path / "v.zarr", "s", roi=roi, voxel_size=(1, 1, 1), calibrated=False, dtype="u8"
    )
    array.write(np.ones(roi.shape, np.uint64), roi)
    with pytest.raises(ValueError, match="a table of objects is in nm"):
        objects_of(open_array(tmp_path / "v.zarr", "s"))
    with pytest.raises(SystemExit, match="1"):
        main([str(tmp_path / "v.zarr"), "--array", "s"])
    assert "the volume has no voxel size" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["v.zarr"]


@pytest.mark.parametrize(("calibrated", "unit"), [(True, " nm;"), (False, " (voxels);")])
def test_the_page_says_in_what_places_are(calibrated, unit) -> None:
    site = Site("split", (1, 2), (3,), (5, 9), 0.1, 4, (2.0, 10.0, 3.0))
    assert f"at z 2, y 10, x 3{unit}" in sites([(site, None)], calibrated=calibrated)
