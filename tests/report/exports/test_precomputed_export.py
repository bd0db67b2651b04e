"""Precomputed volumes: opened again by tensorstore they are the images, scale by scale."""

import itertools
import json

import numpy as np
import pytest
from funlib.geometry import Roi
from image_folders import SIZES, mask, write_tree
from run_with_segments import THRESHOLD, VOLUME, segmented_run
from segmented_run import make_config

from lsd.blockwise.running.run import BlocksFailed
from lsd.report.exports.exporter import Running
from lsd.report.exports.precomputed import write_precomputed, written_below
from lsd.report.exports.run import export, exported_volumes
from lsd.report.images import Image, ImageInput, image_at, images_of
from lsd.segmentation.run import segment
from lsd.spec import Dataset, Images, Volume, Workers
from lsd.spec.exports import Export, Precomputed
from lsd.spec.paths import exported, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.precomputed import create_scale
from lsd.volumes.volume import open_volume

tensorstore = pytest.importorskip("tensorstore")
SMALL = Precomputed(chunk=(4, 8, 8))
# blocks of two chunks a side
SHARDED = SMALL.derive(sharded=True, shard=2)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


def opened(folder, index):
    """A scale as another reader has it: x y z and channel."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "scale_index": index,
    }
    return tensorstore.open(spec).result()


def majority(data, factor, begin):
    """By definition: what most voxels of each box of the world have, of several the smallest."""
    places = [np.arange(n) + b for n, b in zip(data.shape, begin, strict=True)]
    cells = [place // f - place[0] // f for place, f in zip(places, factor, strict=True)]
    made = np.zeros([cell[-1] + 1 for cell in cells], data.dtype)
    for z, y, x in np.ndindex(*made.shape):
        box = data[np.ix_(cells[0] == z, cells[1] == y, cells[2] == x)]
        ids, counts = np.unique(box, return_counts=True)
        made[z, y, x] = ids[counts == counts.max()].min()
    return made


@pytest.mark.parametrize("spec", [SMALL, SHARDED])
def test_every_scale_is_the_segmentation(config, spec) -> None:
    [folder] = export(config, Export(formats=spec, threshold=THRESHOLD))
    array = open_array(segmentation(config, VOLUME), f"segmentation/{THRESHOLD}")
    labels, begin = array.read(array.roi), array.roi.begin
    assert len(np.unique(labels)) > 2
    info = json.loads((folder / "info").read_text())
    assert info["type"] == "segmentation"
    assert info["data_type"] == "uint64"
    sizes = [scale["resolution"] for scale in info["scales"]]
    assert sizes[:3] == [[4.0, 4.5, 40.0], [8.0, 9.0, 40.0], [16.0, 18.0, 40.0]]
    assert ("sharding" in info["scales"][0]) == spec.sharded
    assert max(info["scales"][-1]["size"]) <= 8
    for index, size in enumerate(sizes):
        factor = [round(nm / voxel) for nm, voxel in zip(size[::-1], (40, 4.5, 4), strict=True)]
        scale = opened(folder, index)
        expected = majority(labels, factor, begin)
        assert scale.domain.origin[:3] == tuple(
            b // f for b, f in zip(begin[::-1], factor[::-1], strict=True)
        )
        np.testing.assert_array_equal(scale[..., 0].read().result().T, expected)


def test_every_image_of_a_run(config) -> None:
    names = ("raw", "truth", "affs", "fragments", "segmentation")
    folders = export(config, Export(formats=SMALL, images=names, threshold=THRESHOLD))
    files = [*names[:4], f"segmentation_{THRESHOLD}"]
    assert [folder.name for folder in folders] == [f"{name}.precomputed" for name in files]
    images = images_of(config, VOLUME)
    for name, folder in zip(names[:4], folders, strict=False):
        array = images[name].array
        found = opened(folder, 0)
        data = array.read(array.roi)
        np.testing.assert_array_equal(
            found.read().result().T, data if array.channels else data[None]
        )
        assert json.loads((folder / "info").read_text())["type"] == (
            "segmentation" if name in ("truth", "fragments") else "image"
        )


def test_a_negative_label_is_no_large_id(tmp_path) -> None:
    """As -1 for what nobody annotated: of ids the format has no sign."""
    config = segmented_run(tmp_path)
    roi = open_array(tmp_path / "data.zarr", "labels").roi
    labels = np.ones(roi.shape, np.int32)
    labels[0, 0, 0] = -1
    create_array(
        tmp_path / "signed.zarr", "labels", roi=roi, voxel_size=(40, 4.5, 4), dtype=np.int32
    ).write(labels, roi)
    [spec] = config.dataset.validate
    signed = spec.derive(labels=f"{tmp_path}/signed.zarr:labels", name=VOLUME)
    config = config.derive(dataset={"validate": (signed,)})
    with pytest.raises(BlocksFailed, match=r"ids are 0 .background. or positive, got -1"):
        export(config, Export(formats=SMALL, images=("truth",), threshold=THRESHOLD))


def test_what_is_done_stays_done_and_other_data_are_written_anew(config, caplog) -> None:
    caplog.set_level("INFO")
    lines = []
    settings = Export(formats=SHARDED, threshold=THRESHOLD)
    export(config, settings, progress=lines.append)
    lines.clear()
    [folder] = export(config, settings, progress=lines.append)
    assert all("all done before" in line for line in lines)
    before = opened(folder, 0).read().result()
    for path in (folder / "blocks").glob("*/*.done"):
        # as if it had been stopped after the first block of each scale
        path.write_bytes(path.read_bytes()[:40])
    export(config, settings, progress=lines.append)
    assert any("scale-1x1x1: 7 blocks done, 1 skipped (done before)" in line for line in lines)
    np.testing.assert_array_equal(opened(folder, 0).read().result(), before)
    [other] = export(config, settings.derive(threshold=0.28), progress=lines.append)
    assert other.name == "segmentation_0.28.precomputed"
    export(config, settings.derive(formats=SMALL), progress=lines.append)
    assert f"{folder} is made anew: blocks: [8, 16, 16] there, [12, 20, 24]" in caplog.text
    assert "sharding" not in (folder / "info").read_text()
    np.testing.assert_array_equal(opened(folder, 0).read().result(), before)


@pytest.mark.slow
def test_several_processes_write_the_same(config) -> None:
    settings = Export(formats=SHARDED, threshold=THRESHOLD)
    [folder] = export(config, settings)
    alone = [opened(folder, index).read().result() for index in range(3)]
    for path in (folder / "blocks").glob("*/*.done"):
        path.unlink()
    export(config, settings.derive(workers=Workers(count=2)))
    for index, expected in enumerate(alone):
        np.testing.assert_array_equal(opened(folder, index).read().result(), expected)


def test_a_folder_of_others_is_not_written_over(config) -> None:
    folder = exported(config, VOLUME) / "raw.precomputed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "info").write_text(json.dumps({"scales": [{"key": "4_4_40"}]}))
    for path in folder.glob("blocks"):
        path.rename(folder.with_name("aside"))
    with pytest.raises(ValueError, match="did not write, and is not written over"):
        export(config, Export(formats=SMALL, images=("raw",), threshold=THRESHOLD))


def test_what_is_not_there_is_told(config) -> None:
    with pytest.raises(ValueError, match="has no 'lsds' that is whole; there are: raw"):
        export(config, Export(images=("lsds",), threshold=THRESHOLD))
    with pytest.raises(ValueError, match=r"no 'segmentation/0.31' that is whole.*0.28.*thresholds"):
        export(config, Export(threshold=0.31))
    with pytest.raises(
        ValueError,
        match=r"the threshold \(--threshold\) is not set, none is picked, .* are 0.28, .* set one",
    ):
        export(config, Export())
    with pytest.raises(ValueError, match=r"a shard is 2, 4, 8 \.\. chunks a side, got 3; take 2"):
        Precomputed(sharded=True, shard=3)
    with pytest.raises(ValueError, match=r"chunk \(8, 8\) is of 2 axes, .* of 3; give z y x"):
        export(config, Export(formats=Precomputed(chunk=(8, 8)), threshold=THRESHOLD))


def test_what_was_stopped_before_a_block_was_written_goes_on(tmp_path, monkeypatch) -> None:
    """What lies there is known to be of this program, and not refused."""
    config, made = segmented_run(tmp_path), []

    def stopped(*arguments, **options):
        if made:
            raise KeyboardInterrupt
        made.append(create_scale(*arguments, **options))

    with monkeypatch.context() as patched:
        patched.setattr("lsd.report.exports.precomputed.create_scale", stopped)
        with pytest.raises(KeyboardInterrupt):
            export(config, Export(formats=SMALL, threshold=THRESHOLD))
    [folder] = export(config, Export(formats=SMALL, threshold=THRESHOLD))
    array = open_array(segmentation(config, VOLUME), f"segmentation/{THRESHOLD}")
    found = opened(folder, 0)[..., 0].read().result().T
    np.testing.assert_array_equal(found, array.read(array.roi))


def test_what_lies_beside_the_voxels_is_of_the_same_segmentation(tmp_path) -> None:
    """Surfaces of one segmentation are not shown with the voxels of an earlier one."""
    config = segmented_run(tmp_path)
    [folder] = export(config, Export(formats=SHARDED, threshold=THRESHOLD))
    before = opened(folder, 0)[..., 0].read().result().T
    other = config.derive(segment={"fragments": {"min_seed_distance": 1}})
    segment(other, progress=lambda line: None)
    [volume] = exported_volumes(other, Export(threshold=THRESHOLD), progress=lambda line: None)
    assert written_below(volume) == folder
    array = open_array(segmentation(config, VOLUME), f"segmentation/{THRESHOLD}")
    labels = array.read(array.roi)
    assert (before != labels).any()
    np.testing.assert_array_equal(opened(folder, 0)[..., 0].read().result().T, labels)
    assert "sharding" in (folder / "info").read_text(), "as it was asked for before"


def test_images_of_their_own_are_no_coarser(tmp_path) -> None:
    spec = Volume(images=Images(images="mito/*/images/*.tiff"))
    volume = open_volume(spec, name="mito", data_root=write_tree(tmp_path))

    def as_input():
        return ImageInput(of="raw", volume=VolumeInput.raw(volume, tmp_path, roi=volume.roi))

    image = Image("raw", volume.raw, "raw", as_input)
    running = Running("mito", Workers(), lambda line: None)
    folder = write_precomputed(running, image, tmp_path / "out", SMALL)
    assert len(json.loads((folder / "info").read_text())["scales"]) == 1
    found = opened(folder, 0)[..., 0].read().result().T
    np.testing.assert_array_equal(found, volume.raw.read(volume.raw.roi))


WHOLE, FLOATS = ["bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"], ["f2", "f4", "f8"]


@pytest.mark.parametrize(
    ("dtype", "of"),
    [*itertools.product(WHOLE, ["raw", "labels"]), *((dtype, "raw") for dtype in FLOATS)],
)
def test_every_type_of_an_array_has_one_of_the_format(tmp_path, dtype, of) -> None:
    numbers = np.arange(48).reshape(3, 4, 4)
    data = (numbers - (20 if dtype[0] == "i" and of == "raw" else 0)).astype(dtype)
    roi = Roi((0, 0, 0), data.shape)
    create_array(tmp_path / "a.zarr", "a", roi=roi, voxel_size=(40, 4, 4), dtype=data.dtype).write(
        data, roi
    )
    image = image_at(tmp_path / "a.zarr", "a", "a", of)
    running = Running("typed", Workers(), lambda line: None)
    folder = write_precomputed(running, image, tmp_path / "out", SMALL)
    np.testing.assert_array_equal(opened(folder, 0)[..., 0].read().result().T, data)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_are_no_ids(tmp_path, dtype) -> None:
    roi = Roi((0, 0, 0), (3, 4, 4))
    create_array(tmp_path / "a.zarr", "a", roi=roi, voxel_size=(40, 4, 4), dtype=dtype)
    with pytest.raises(ValueError, match="ids are integers: convert them"):
        image_at(tmp_path / "a.zarr", "a", "a", "labels")


def test_truth_of_images_has_the_ids_that_scores_and_tables_name(tmp_path) -> None:
    images = Images(images="mito/*/images/*.tiff", masks="mito/*/masks/*.tiff")
    config = make_config(tmp_path).derive(
        dataset=Dataset(validate=(Volume(images=images),)), data_root=str(write_tree(tmp_path))
    )
    [name] = config.dataset.volumes()
    truth = images_of(config, name)["truth"]
    running = Running(name, Workers(), lambda line: None)
    folder = write_precomputed(running, truth, tmp_path / "out", SMALL)
    found = opened(folder, 0)[..., 0].read().result().T
    # as the masks number them, small images first, each image in numbers of its own
    for z, key in enumerate(sorted(SIZES, key=lambda key: (SIZES[key], key))):
        own = mask(key, SIZES[key]).astype(np.uint64)
        expected = np.where(own > 0, own + np.uint64(z * 2**32), 0)
        np.testing.assert_array_equal(found[z, : own.shape[0], : own.shape[1]], expected)
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=tmp_path)
    np.testing.assert_array_equal(found, volume.read_labels(volume.roi))
    np.testing.assert_array_equal(found, truth.array.read(truth.array.roi))
    # what was written under the ids on disk is not taken for it
    assert "names" in truth.as_input().model_dump()
    assert "names" not in images_of(config, name)["raw"].as_input().model_dump()


@pytest.mark.parametrize("spec", [Precomputed(chunk=(8, 8)), SHARDED])
def test_a_plane_is_one_section(tmp_path, spec) -> None:
    labels = np.random.default_rng(0).integers(0, 9, (20, 37)).astype(np.uint64) << np.uint64(33)
    roi = Roi((-3, 5), labels.shape)
    create_array(tmp_path / "a.zarr", "a", roi=roi, voxel_size=(4, 6), dtype=np.uint64).write(
        labels, roi
    )
    image = image_at(tmp_path / "a.zarr", "a", "a", "labels")
    running = Running("plane", Workers(), lambda line: None)
    folder = write_precomputed(running, image, tmp_path / "out", spec)
    scale = opened(folder, 0)
    assert scale.domain.origin == (5, -3, 0, 0)
    np.testing.assert_array_equal(scale[:, :, 0, 0].read().result().T, labels)
    coarse = opened(folder, 1)
    np.testing.assert_array_equal(
        coarse[:, :, 0, 0].read().result().T, majority(labels[None], (1, 2, 1), (0, *roi.begin))[0]
    )
