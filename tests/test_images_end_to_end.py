"""Folders of 2D images through the whole chain: a few iterations on a tree as MitoLab has it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from scipy import ndimage

import lsd
from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.run import segment
from lsd.segmentation.sections import decode_volume
from lsd.spec import (
    Affinities,
    Bce,
    Config,
    Dataset,
    Descriptors,
    Head,
    Images,
    Intensity,
    Network,
    ResidualUNet,
    Simple,
    Split,
    Stage,
    Variant,
    Volume,
    paths,
)
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.images.listing import read_list
from lsd.volumes.levels import coarser
from lsd.volumes.volume import open_volume

sys.path.append(str(Path(__file__).parent / "volumes"))
from image_folders import write_blobs

IMAGES = Images(
    images="mito/*/images/*.tiff",
    masks="mito/*/masks/*.tiff",
    split=Split(by="folder", fractions=(0.5, 0.25, 0.25)),
)
AFFS = Head(target=Affinities(), loss=Bce(balance=True))


def volume(part: str) -> Volume:
    return Volume(images=IMAGES.derive(part=part))


def config(root: Path, **changes) -> Config:
    trunk = ResidualUNet(
        widths=(4, 8), factors=((2, 2),), kernel=(3, 3), context=(8, 8), features_out=4
    )
    return Config(
        name="mito",
        dataset=Dataset(
            train=volume("train"),
            validate=volume("validate"),
            test=volume("test"),
            augment=(Simple(), Intensity()),
        ),
        variant=Variant(stages=Stage(heads={"affs": AFFS})),
        network=Network(trunk=trunk, train_shape=(48, 48)),
        train={"iterations": 12, "batch_size": 4, "learning_rate": 0.01, "workers": 1}
        | {"validate_every": 6, "device": "cpu", "threads": 1, "log_every": 0},
        predict={"volumes": ("train", "validate", "test"), "device": "cpu", "threads": 1},
        segment={"thresholds": (0.3, 0.6), "block": (3, 32, 32), "context": (0, 16, 16)},
        evaluate={"block": (2, 32, 32)},
        runs=str(root / "runs"),
        data_root=str(root),
    ).derive(**changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run that is trained, predicted, segmented and evaluated, and its scores."""
    root = write_blobs(tmp_path_factory.mktemp("mito"))
    made = config(root)
    train(made)
    predict(made)
    segment(made)
    return made, evaluate(made)


def parts(made: Config) -> list[str]:
    return [f"mito_{part}" for part in ("train", "validate", "test")]


def rows(made: Config, name: str):
    listed = read_list(Path(made.data_root) / "mito.csv")
    return [row for row in listed if row.part == name.removeprefix("mito_")]


def test_each_image_is_predicted_as_if_it_were_alone(done) -> None:
    made, _ = done
    network = lsd.load(paths.checkpoints(made, "main") / "best.pt")
    for name in parts(made):
        affs = open_array(paths.prediction(made, name), "affs")
        values = affs.read(affs.roi)
        assert not affs.calibrated
        for z, row in enumerate(rows(made, name)):
            alone = network.predict(tifffile.imread(row.image), voxel_size=(1, 1))["affs"]
            inside = values[:, z, : row.height, : row.width]
            assert np.abs(inside / 255 - alone).max() < 1 / 255 + 1e-3
            values[:, z, : row.height, : row.width] = 0
        assert not values.any()


def test_segments_stay_in_their_image(done) -> None:
    made, _ = done
    for name in parts(made):
        for threshold in (0.3, 0.6):
            array = open_array(paths.segmentation(made, name), f"segmentation/{threshold}")
            segments = array.read(array.roi)
            ids = [set(np.unique(section)) - {0} for section in segments]
            assert any(ids)
            assert sum(map(len, ids)) == len(set().union(*ids))
            for section, row in zip(segments, rows(made, name), strict=True):
                assert section[: row.height, : row.width].any() == section.any()
                assert not section[row.height :].any()
                assert not section[:, row.width :].any()


def test_scores_are_of_all_images_together(done) -> None:
    made, scores = done
    assert set(scores.volumes) == set(parts(made))
    for name in parts(made):
        array = open_array(paths.segmentation(made, name), f"segmentation/{scores.threshold:g}")
        segments, truth, last = array.read(array.roi), [], 0
        pixels = []
        for section, row in zip(segments, rows(made, name), strict=True):
            numbers = tifffile.imread(row.mask).astype(np.uint64)
            truth.append(np.where(numbers > 0, numbers + np.uint64(last), 0).ravel())
            pixels.append(section[: row.height, : row.width].ravel())
            last += int(numbers.max())
        expected = compare(np.concatenate(pixels), np.concatenate(truth))
        scored = scores.volumes[name].scored
        assert scored.voi_split == pytest.approx(expected.voi_split)
        assert scored.voi_merge == pytest.approx(expected.voi_merge)
    found = json.loads(paths.validation_file(made).read_text())
    assert np.isfinite(found["score"])


def test_no_image_is_in_two_parts(done) -> None:
    made, _ = done
    folders = [{row.key.split("/")[0] for row in rows(made, name)} for name in parts(made)]
    assert all(folders)
    assert sum(map(len, folders)) == len(set().union(*folders)) == 4


def test_validation_is_what_the_commands_make_of_it(done) -> None:
    """The score of the last checkpoint's validation is that of the predicted, segmented volume."""
    made, scores = done
    found = json.loads(paths.validation_file(made).read_text())
    sweep = scores.volumes["mito_validate"].sweep
    assert found["score"] == pytest.approx(sweep[found["threshold"]].objective, abs=0.02)


def test_a_run_goes_on_where_it_was(done, caplog) -> None:
    made, _ = done
    with caplog.at_level("INFO"):
        predict(made)
        segment(made)
    assert "blocks done" not in caplog.text.replace("0 blocks done", "")


def test_levels_of_images_are_of_each_image_alone(done) -> None:
    made, _ = done
    predict(made.derive(predict={"levels": 3}))
    segment(made.derive(segment={"levels": 3}))
    for name in parts(made):
        for path, array, how in (
            (paths.prediction(made, name), "affs", "mean"),
            (paths.segmentation(made, name), "segmentation/0.3", "majority"),
        ):
            base, level = (open_array(path, each) for each in (array, f"{array}/2"))
            for z, section in enumerate(np.moveaxis(base.read(base.roi), -3, 0)):
                found = level.read(level.roi)[..., z, :, :]
                np.testing.assert_array_equal(found, coarser(section, (4, 4), how))


def test_what_images_cannot_do(done, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"'mito_train': evaluate\.ignore names label 2, and"):
        evaluate(done[0].derive(evaluate={"ignore": (0, 2)}))
    root = write_blobs(tmp_path)
    lsds = Variant(stages=Stage(heads={"lsds": Head(target=Descriptors(sigma=20))}))
    with pytest.raises(ValueError, match=r"sigma of head 'lsds' is in nm, and the volume has no"):
        train(config(root, variant=lsds, train={"workers": 0}))
    deep = Network(
        trunk=ResidualUNet(widths=(4, 8), factors=((1, 2, 2),), context=(0, 8, 8)),
        train_shape=(8, 48, 48),
    )
    with pytest.raises(ValueError, match="nothing to do with each other, and the network is 3D"):
        train(config(root, network=deep, train={"workers": 0}))


def test_descriptors_with_a_voxel_size(tmp_path) -> None:
    root = write_blobs(tmp_path)
    lsds = Variant(stages=Stage(heads={"lsds": Head(target=Descriptors(sigma=20))}))
    made = config(root, variant=lsds, train={"workers": 0, "iterations": 2, "validate_every": 2})
    train(made.derive(dataset={"voxel_size": (5, 5)}))


def test_open_the_volume_of_a_run(done) -> None:
    made, _ = done
    opened = open_volume(
        made.dataset.part("test")["mito_test"], name="x", data_root=Path(made.data_root)
    )
    assert opened.raw.roi == Roi((0, 0, 0), opened.raw.roi.shape)


def dry_run(command: str, made: Config, root: Path) -> str:
    (root / "config.json").write_text(made.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-m", "lsd", command, "-c", "config.json", "--dry-run"],
        cwd=root, capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    return done.stdout


@pytest.mark.slow
def test_a_dry_run_writes_no_list(tmp_path) -> None:
    root = write_blobs(tmp_path)
    said = dry_run("train", config(root, train={"workers": 0}), root)
    assert "no voxel size, 6 images" in said
    assert not (root / "mito.csv").exists()
    assert not (root / "runs").exists()


def check_consensus_of_each_image(
    made: Config, name: str, probability: np.ndarray, occupancy: np.ndarray
) -> None:
    """What was predicted of an image alone says where its objects are, on disk and in memory."""
    kernel = made.variant.heads()["occupancy"].target.offsets_in(2)
    volume = open_volume(made.dataset.volumes()[name], name=name, data_root=Path(made.data_root))
    expected = np.zeros_like(probability)
    for z, (height, width) in enumerate(volume.image_sizes):
        expected[z, :height, :width] = lsd.consensus(occupancy[:, z, :height, :width], kernel)[0]
    assert (volume.image_sizes < volume.raw.roi.shape[1:]).any()
    assert np.array_equal(probability, expected)
    decoded = decode_volume(
        decoder_of(made.segment),
        volume,
        {"occupancy": Prediction(occupancy, occupancy=kernel)},
        made.segment,
        roi=volume.raw.roi,
        mask=volume.read_inside(volume.raw.roi),
    )
    for threshold in made.segment.thresholds:
        array = open_array(paths.segmentation(made, name), f"segmentation/{threshold}")
        assert np.array_equal(decoded.segmentation(threshold), array.read(array.roi))


def test_the_example_of_mitolab(tmp_path) -> None:
    """config/examples/mitolab.py on a tree of its layout, smaller and for a few iterations."""
    from config.examples.mitolab import config as example

    root = write_blobs(tmp_path)
    (root / "mito").rename(root / "cem_mitolab")
    small = example.derive(
        network=config(root).network,
        train={"iterations": 3, "batch_size": 4, "workers": 0, "validate_every": 3}
        | {"device": "cpu", "threads": 1, "precision": "fp32"},
        dataset={
            part: volume.derive(images={"split": {"fractions": (0.5, 0.25, 0.25)}})
            for part in ("train", "validate", "test")
            for volume in getattr(example.dataset, part)
        },
        predict={"device": "cpu", "threads": 1},
        segment={"thresholds": (0.4, 0.5), "block": (2, 32, 32)},
        data_root=str(root),
        runs=str(root / "runs"),
    )
    train(small)
    predict(small)
    segment(small)
    scores = evaluate(small)
    assert set(scores.volumes) == {"cem_mitolab_validate", "cem_mitolab_test"}
    for name in scores.volumes:
        foreground = open_array(paths.segmentation(small, name), "foreground")
        occupancy = open_array(paths.prediction(small, name), "occupancy")
        probability = foreground.read(foreground.roi)
        assert occupancy.shape == (9, *foreground.shape)
        check_consensus_of_each_image(small, name, probability, occupancy.read(occupancy.roi))
        for threshold in (0.4, 0.5):
            array = open_array(paths.segmentation(small, name), f"segmentation/{threshold}")
            segments = array.read(array.roi)
            listed = [row for row in read_list(root / "cem_mitolab.csv") if name.endswith(row.part)]
            inside = np.zeros(array.shape, bool)
            for z, row in enumerate(listed):
                inside[z, : row.height, : row.width] = True
            # pieces by definition: 4-connected in the plane, section by section
            last = 0
            for section, kept in zip(segments, (probability >= threshold) & inside, strict=True):
                pieces, count = ndimage.label(kept)
                assert len(np.unique(section[section > 0])) == count
                pairs = np.unique(np.stack([section[kept], pieces[kept]]), axis=1)
                assert pairs.shape[1] == count
                assert ((section > 0) == kept).all()
                assert not count or section[section > 0].min() > last
                last = max(last, int(section.max()))


def test_what_lies_beyond_an_image_never_counts(done) -> None:
    """Not even without masks: it would be background that was found."""
    made, _ = done
    scores = evaluate(
        made.derive(evaluate={"use_mask": False, "metric": "foreground", "heads": ("affs",)})
    )
    for name in parts(made):
        sizes = [(row.height, row.width) for row in rows(made, name)]
        assert scores.volumes[name].scored.voxels == sum(h * w for h, w in sizes)
        # edges along y, then along x
        counted = [channel.voxels for channel in scores.heads[name]["affs"].channels]
        assert counted == [sum((h - 1) * w for h, w in sizes), sum(h * (w - 1) for h, w in sizes)]


def test_pieces_of_classes_are_counted_by_image(done) -> None:
    """Masks of classes, whose objects are connected pieces: those of two images are two."""
    made, _ = done
    classes = made.derive(
        dataset={
            part: volume.derive(images={"holds": "classes"})
            for part in ("train", "validate", "test")
            for volume in getattr(made.dataset, part)
        },
        evaluate={"connected": True},
    )
    scores = evaluate(classes)
    for name in parts(made):
        objects = set(scores.volumes[name].table.objects.tolist()) - {0}
        masks = [tifffile.imread(row.mask) for row in rows(made, name)]
        eight = np.ones((3, 3))
        assert len(objects) == sum(
            ndimage.label(numbers == label, eight)[1]
            for numbers in masks
            for label in np.unique(numbers[numbers > 0])
        )
