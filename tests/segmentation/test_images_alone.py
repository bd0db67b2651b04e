"""What is made of an image of a folder follows from it alone, whatever else lies there: on disk,
over blocks, and in memory."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from objects_run import smooth

import lsd
from lsd.evaluation.error_map.run import error_maps
from lsd.objects.run import locate
from lsd.objects.tables import read_located
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.disagreement import disagreement
from lsd.segmentation.kernels.prediction import Channels, Decoded
from lsd.segmentation.over_blocks.inputs import HeadInput
from lsd.segmentation.predicted import PredictedHead, open_heads, prediction_input
from lsd.segmentation.run import segment
from lsd.segmentation.sections import decode_volume
from lsd.spec import (
    Affinities,
    Components,
    Config,
    Dataset,
    Descriptors,
    Doubting,
    Foreground,
    Head,
    Images,
    Instance,
    Interior,
    InteriorBoundary,
    MutexWatershed,
    Network,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
    Watershed,
)
from lsd.spec.paths import error_map, prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

SIZES = {"a": (24, 30), "b": (40, 20), "c": (40, 44)}
LARGEST = (3, 40, 44)
PAIRS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-3, 3), (3, -3), (-3, -3), (3, 3))
HEADS = {
    "affs": Head(target=Affinities(neighborhood=tuple((0, *offset) for offset in PAIRS))),
    "lsds": Head(target=Descriptors(sigma=20)),
    "objects": Head(target=InteriorBoundary()),
    "foreground": Head(target=Foreground()),
}
DECODERS = {
    "watershed": Watershed(),
    "doubting": Doubting(regions=0.3, weight=4),
    "mutex": MutexWatershed(),
    "both ends, mutex": Instance(inside=0.9),
    "both ends, watershed": Instance(inside=0.9, by="watershed"),
    "interior": Interior(fill_holes=True, threshold=0.4),
    "components": Components(),
}


def predicted(folder, **segment) -> Config:
    """Images of which heads were predicted, 0 beyond each."""
    for name, size in SIZES.items():
        (folder / "im").mkdir(exist_ok=True)
        tifffile.imwrite(folder / "im" / f"{name}.tiff", np.zeros(size, np.uint8))
    volume = Volume(images=Images(images="im/*.tiff"), name="em", voxel_size=(5, 5))
    trunk = UNet(features=2, multiplier=2, factors=((2, 2),), kernels=((3, 3),))
    config = Config(
        name="run",
        dataset=Dataset(test=(volume,)),
        variant=Variant(stages=(Stage(heads=HEADS),)),
        network=Network(trunk=trunk, train_shape=(18, 18)),
        predict={"volumes": ("test",), "device": "cpu", "threads": 1},
        segment={"fragments": {"min_seed_distance": 3}, "mutex": {"bias": (0.1, -0.2)}} | segment,
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    raw = open_volume(volume, name="em", data_root=folder).raw
    for seed, (name, channels) in enumerate({"affs": 8, "lsds": 6, "objects": 2}.items()):
        values = smooth(seed, channels, LARGEST)
        for z, (height, width) in enumerate(SIZES.values()):
            values[:, z, height:], values[:, z, :, width:] = 0, 0
        if name == "objects":
            # holes
            values[0, :, 10:12, 10:12], values[0, :, 8:10, 8:14] = 0, 255
        for head, stored in {name: values, "foreground": values[:1]}.items():
            create_array(
                prediction(config, "em"),
                head,
                roi=raw.roi,
                voxel_size=raw.voxel_size,
                dtype=np.uint8,
                channels=len(stored),
            ).write(stored, raw.roi)
    return config


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two labellings are the same but for their names; 0 is 0."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    each_once = all(len(np.unique(names)) == pairs.shape[1] for names in pairs)
    return each_once and bool(((pairs == 0).any(axis=0) == (pairs == 0).all(axis=0)).all())


@pytest.mark.parametrize("name", DECODERS)
def test_an_image_is_segmented_as_if_it_were_alone(tmp_path, name) -> None:
    fields = {"decoder": DECODERS[name], "thresholds": (0.6,)}
    config = predicted(tmp_path, **fields, block=(2, 64, 64), objects={"fill_holes": True})
    segment(config)
    decoder = decoder_of(config.segment)
    array = open_array(
        segmentation(config, "em"), decoder.array_name(0.6 if decoder.has_thresholds else None)
    )
    on_disk = array.read(array.roi)
    volume = open_volume(config.dataset.test[0], name="em", data_root=tmp_path)
    inside = volume.read_inside(array.roi)
    assert not on_disk[~inside].any()
    heads = {name: head.read(array.roi) for name, head in open_heads(config, "em").items()}
    in_memory = decode_volume(
        decoder, volume, heads, config.segment, roi=array.roi, mask=inside
    ).segmentation(0.6)
    assert same_partition(on_disk, in_memory)
    for z, (height, width) in enumerate(SIZES.values()):
        plane = {
            name: replace(
                head,
                values=head.values[:, z, :height, :width],
                voxel_size=head.voxel_size[1:],
            )
            for name, head in heads.items()
        }
        alone = decoder.decode(plane, config.segment).segmentation(0.6)
        assert alone.any()
        assert same_partition(on_disk[z, :height, :width], alone)


def test_objects_of_images_over_blocks_are_those_of_the_whole(tmp_path) -> None:
    """Of the doubting decoder, which looks at regions again, block by block."""
    config = predicted(
        tmp_path, decoder=DECODERS["doubting"], thresholds=(0.6,), context=(0, 40, 44)
    )
    segment(config)
    array = open_array(segmentation(config, "em"), "segmentation/0.6")
    whole = array.read(array.roi)
    blocks = config.derive(segment={"block": (1, 16, 16)})
    segment(blocks)
    array = open_array(segmentation(blocks, "em"), "segmentation/0.6")
    assert same_partition(array.read(array.roi), whole)


def test_an_image_disagrees_as_if_it_were_alone(tmp_path) -> None:
    """At the border of one that is smaller than the largest segments go on, too."""
    config = predicted(tmp_path, thresholds=(0.6,))
    segment(config)
    error_maps(config.derive(error_map={"block": (2, 24, 24), "head": "lsds"}))
    apart = open_array(error_map(config, "em"), "disagreement")
    segments = open_array(segmentation(config, "em"), "segmentation/0.6")
    head = open_array(prediction(config, "em"), "lsds")
    found = apart.read(apart.roi)
    for z, (height, width) in enumerate(SIZES.values()):
        inside = (z, slice(height), slice(width))
        alone = disagreement(
            head.read(head.roi)[:, *inside] * np.float32(1 / 255),
            segments.read(segments.roi)[inside],
            HEADS["lsds"].target,
            voxel_size=5,
        )
        assert np.abs(found[inside] - alone * 255).max() < 0.51
        found[inside] = 0
    assert not found.any()


@pytest.mark.parametrize("context", [(32, 32, 32), (0, 32, 32)])
def test_objects_of_an_image_are_located_as_if_it_were_alone(tmp_path, context) -> None:
    """Where an image ends is no border of an object, as where a volume ends is none; nothing of it
    lies in other sections, so blocks may have no context there."""
    fields = {"decoder": "components", "thresholds": (0.5,), "context": context}
    config = predicted(tmp_path, **fields, block=(2, 16, 16))
    [path] = locate(config.derive(locate={"threshold": 0.5}))
    found = read_located(path)
    segments = open_array(segmentation(config, "em"), "segmentation/0.5")
    points = []
    for z, (height, width) in enumerate(SIZES.values()):
        alone = lsd.locate(segments.read(segments.roi)[z, :height, :width], voxel_size=5)
        points += [
            (int(n), (z + 0.5) * 5, *point) for n, point in zip(alone.id, alone.point, strict=True)
        ]
    assert len(points) > 9
    listed = zip(found.id.tolist(), found.point.tolist(), strict=True)
    assert [(number, *point) for number, point in listed] == sorted(points)


def test_a_plane_has_no_first_section(tmp_path) -> None:
    """A decoder of one's own hears the same of it in validation as over blocks."""
    roi = Roi((7, 3), (4, 5))
    create_array(tmp_path / "em.zarr", "raw", roi=roi, voxel_size=(1, 1), dtype=np.uint8).write(
        np.zeros(roi.shape, np.uint8), roi
    )
    volume = open_volume(Volume(path="em.zarr", raw="raw"), name="em", data_root=tmp_path)
    heard = []

    class Hears:
        def decode(self, heads, settings, *, mask, first_section):
            heard.append(first_section)
            return Decoded.final(np.zeros(roi.shape, np.uint64))

    decode_volume(Hears(), volume, {}, Segment(), roi=roi, mask=None)
    assert heard == [0]


@pytest.mark.parametrize("calibrated", [True, False])
def test_decoders_are_told_whether_there_is_a_voxel_size(tmp_path, calibrated) -> None:
    """In nm it is, or none; where nobody knows it, arrays have 1."""
    roi, size = Roi((0, 0, 0), (1, 4, 5)), (5.0, 5.0, 5.0) if calibrated else (1.0, 1.0, 1.0)
    fields = {"roi": roi, "voxel_size": size, "calibrated": calibrated}
    array = create_array(tmp_path / "p.zarr", "head", dtype=np.uint8, channels=1, **fields)
    array.write(np.zeros((1, *roi.shape), np.uint8), roi)
    wanted = size if calibrated else None
    assert PredictedHead(array, Channels(1)).read(roi).voxel_size == wanted
    head = HeadInput(prediction_input(array, revision=None), None)
    assert head.described(array)(array.read(roi)).voxel_size == wanted
