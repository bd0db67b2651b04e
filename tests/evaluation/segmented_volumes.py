"""Three volumes of noisy affinities, segmented, and their scores by array functions."""

import numpy as np
from funlib.geometry import Roi
from scipy import ndimage

from lsd.evaluation.partition import compare
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)  # fmt: skip
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI = Roi((3, 0, 5), (14, 22, 24))


VOXEL_SIZE = (8.0, 8.0, 8.0)


NAMES = ("a", "b", "c")


def truth_of(seed):
    rng = np.random.default_rng(seed)
    seeds = np.zeros(ROI.shape, int)
    for i in range(14):
        seeds[tuple(rng.integers(0, s) for s in ROI.shape)] = i % 6 + 1
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    labels = seeds[tuple(nearest)].astype(np.uint64)
    labels[:, :, 20:] *= rng.random((*ROI.shape[:2], 4)) < 0.8
    return labels


def noisy_affinities(labels, seed):
    affs = np.ones((3, *ROI.shape))
    for axis in range(3):
        affs[axis] = labels == np.roll(labels, 1, axis)
    blurred = ndimage.gaussian_filter(
        ndimage.minimum_filter(affs, (1, 2, 2, 2)), (0, 0.7, 0.7, 0.7)
    )
    noisy = blurred + np.random.default_rng(seed).normal(0, 0.1, affs.shape)
    return (255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def write(path, name, data, channels=None, remainder=None):
    options = {"voxel_size": VOXEL_SIZE, "channels": channels, "remainder": remainder}
    create_array(path, name, roi=ROI, dtype=data.dtype, **options).write(data, ROI)


def segmented(tmp_path, remainder=None):
    for seed, name in enumerate(NAMES):
        labels = truth_of(seed)
        mask = np.ones(ROI.shape, np.uint8)
        mask[:, :4] = 0
        for what, data in (("raw", mask), ("labels", labels), ("mask", mask)):
            write(tmp_path / f"{name}.zarr", what, data, remainder=remainder)
    volumes = {
        n: Volume(path=f"{n}.zarr", name=n, raw="raw", labels="labels", labels_mask="mask")
        for n in NAMES
    }
    config = Config(
        name="run",
        dataset=Dataset(validate=(volumes["a"], volumes["b"]), test=(volumes["c"],)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(
            thresholds=(0.2, 0.4, 0.6, 0.8),
            fragments=Fragments(min_seed_distance=3),
            scoring="mean",
        ),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for seed, name in enumerate(NAMES):
        write(
            prediction(config, name),
            "affs",
            noisy_affinities(truth_of(seed), seed),
            channels=3,
            remainder=remainder,
        )
    segment(config)
    return config


def with_evaluate(config, **evaluate):
    return config.derive(evaluate=config.evaluate.derive(**evaluate))


def segments_of(config, name, what):
    return open_array(segmentation(config, name), what).read(ROI)


def expected_score(config, name, threshold, where=(slice(None),) * 3, **options):
    truth, segments = truth_of(NAMES.index(name)), segments_of(config, name, array_name(threshold))
    mask = np.ones(ROI.shape, bool)
    mask[:, :4] = False
    return compare(segments[where], truth[where], mask=mask[where], **options)


def only(config, *names):
    return config.derive(predict=config.predict.derive(volumes=names))


def with_thresholds(config, thresholds):
    return config.derive(segment=config.segment.derive(thresholds=thresholds))
