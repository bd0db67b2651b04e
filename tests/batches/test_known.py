"""What is known of a volume is one thing: for segment.py, evaluate.py and the validation of
training, in every combination."""

import logging
from itertools import product

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy import ndimage

from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.segmentation.decode import decode
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    NEAREST,
    Affinities,
    Config,
    Dataset,
    Evaluate,
    Fragments,
    Head,
    Network,
    Predict,
    Segment,
    Stage,
    Train,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.training import validation
from lsd.training.validation import Validator
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

ROI = Roi((3, -2, 5), (12, 20, 18))
REGION = ((4, 13), (None, 16), (6, None))
SIZE = (8.0, 8.0, 8.0)
THRESHOLD = 0.4
RNG = np.random.default_rng(3)

LABELS = (
    np.repeat(np.repeat(RNG.integers(0, 4, (3, 5, 3)), 4, 0), 4, 1).repeat(6, 2).astype(np.uint64)
)
MASK = (ndimage.gaussian_filter(RNG.random(ROI.shape), 2) > 0.48).astype(np.uint8)
RAW = RNG.random(ROI.shape, np.float32)
BROKEN = RAW.copy()
BROKEN[2:5, 3:6, 1:4], BROKEN[9, 9, 9], BROKEN[0, 0, 0] = np.nan, np.inf, -np.inf
AFFS = ndimage.gaussian_filter(RNG.random((3, *ROI.shape)), (0, 1, 1, 1))
AFFS = np.rint(255 * np.clip((AFFS - 0.4) * 5, 0, 1)).astype(np.uint8)

SAID = ("labels_mask", "unknown", "invalid", "region", "labels")
COMBINATIONS = [
    dict(zip(SAID, bits, strict=True)) for bits in product((False, True), repeat=len(SAID))
]


def _brute_force(said) -> np.ndarray:
    """Voxel by voxel."""
    known = np.ones(ROI.shape, bool)
    for voxel in np.ndindex(*ROI.shape):
        world = [index + int(begin) for index, begin in zip(voxel, ROI.begin, strict=True)]
        inside = [
            (a is None or a <= n) and (b is None or n < b)
            for n, (a, b) in zip(world, REGION, strict=True)
        ]
        known[voxel] = not (
            (said["region"] and not all(inside))
            or (said["labels_mask"] and MASK[voxel] == 0)
            or (said["unknown"] and said["labels"] and LABELS[voxel] == 2)
            or (said["invalid"] and not np.isfinite(BROKEN[voxel]))
        )
    return known


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The arrays on disk."""
    folder = tmp_path_factory.mktemp("known")
    for name, data in {"labels": LABELS, "mask": MASK, "raw": RAW, "broken": BROKEN}.items():
        create_array(folder / "v.zarr", name, roi=ROI, voxel_size=SIZE, dtype=data.dtype).write(
            data, ROI
        )
    return folder


def _config(folder, tmp_path, said, *, neighborhood=NEAREST, **settings) -> Config:
    volume = Volume(
        path="v.zarr",
        name="v",
        raw="broken" if said["invalid"] else "raw",
        raw_range=(0, 1),
        labels="labels" if said["labels"] else None,
        labels_mask="mask" if said["labels_mask"] else None,
        unknown=2 if said["unknown"] else None,
        invalid="mask" if said["invalid"] else "refuse",
        region=REGION if said["region"] else (),
    )
    trunk = UNet(features=1, multiplier=1, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,)),
        variant=Variant(
            stages=(Stage(heads={"affs": Head(target=Affinities(neighborhood=neighborhood))}),)
        ),
        network=Network(trunk=trunk, train_shape=(18, 18, 18), predict_shape=(22, 22, 22)),
        train=Train(validate_every=1, device="cpu", threads=1),
        predict=Predict(volumes=("validate",), device="cpu", threads=1),
        segment=Segment(
            thresholds=(THRESHOLD,),
            fragments=Fragments(min_seed_distance=3),
            **({"use_mask": True} | settings),
        ),
        runs=str(tmp_path / "runs"),
        data_root=str(folder),
    )
    affs = AFFS[[axis % 3 for axis in range(len(neighborhood))]]
    create_array(
        prediction(config, "v"),
        "affs",
        roi=ROI,
        voxel_size=SIZE,
        dtype=np.uint8,
        channels=len(affs),
    ).write(affs, ROI)
    return config


def _inside(said) -> tuple[slice, ...]:
    """The region in the arrays."""
    if not said["region"]:
        return (slice(None),) * 3
    ends = zip(REGION, ROI.begin, ROI.end, strict=True)
    return tuple(
        slice(int((first if a is None else a) - first), int((last if b is None else b) - first))
        for (a, b), first, last in ends
    )


@pytest.mark.parametrize(
    "said",
    COMBINATIONS,
    ids=lambda said: "+".join(name for name in SAID if said[name]) or "nothing",
)
def test_one_meaning_everywhere(folder, tmp_path, monkeypatch, caplog, said) -> None:
    config, known = _config(folder, tmp_path, said), _brute_force(said)
    volume = open_volume(config.dataset.validate[0], name="v", data_root=folder)
    np.testing.assert_array_equal(volume.read_known(ROI), known)
    np.testing.assert_array_equal(volume.read_truth(ROI)[1], known)
    # segment.py: blocks, and some of them around what is known
    caplog.set_level(logging.WARNING)
    segment(config)
    expected = decode(
        AFFS, Affinities().neighborhood, config.segment, mask=known, first_section=int(ROI.begin[0])
    )
    found = open_array(segmentation(config, "v"), "fragments").read(ROI)
    np.testing.assert_array_equal(found, expected.fragments)
    assert not found[~known].any()
    says_something = any(said[name] for name in ("labels_mask", "invalid", "region")) or (
        said["unknown"] and said["labels"]
    )
    assert ("says nothing of what is known" in caplog.text) == (not says_something)
    if not said["labels"]:
        return
    # evaluate.py
    segments = open_array(segmentation(config, "v"), array_name(THRESHOLD)).read(ROI)
    assert evaluate(config).volumes["v"].scored == compare(
        segments, LABELS, mask=known, ignore=(0,)
    )
    # the validation of training, which sees the region alone
    region = _inside(said)
    monkeypatch.setattr(
        validation,
        "predict_region",
        lambda *_: {"affs": (AFFS[(slice(None), *region)] / 255).astype(np.float32)},
    )
    scores = Validator(config, config.variant.stages[0])(
        Cascade(config.variant, config.network.trunk)
    ).scores
    alone = decode(
        AFFS[(slice(None), *region)], Affinities().neighborhood, config.segment, mask=known[region]
    )
    assert scores == compare(
        alone.segmentation(THRESHOLD), LABELS[region], mask=known[region], ignore=(0,)
    )


@pytest.mark.parametrize(
    "said", COMBINATIONS[3::8], ids=lambda said: "+".join(name for name in SAID if said[name])
)
@pytest.mark.parametrize("decoder", ["mutex", "blocks"])
def test_in_blocks_and_by_mutex(folder, tmp_path, said, decoder) -> None:
    if decoder == "mutex":
        pytest.importorskip("mwatershed")
    changed = (
        {"decoder": "mutex"} if decoder == "mutex" else {"block": (5, 9, 7), "context": (2, 2, 2)}
    )
    known = _brute_force(said)
    # the mutex decoder wants far ones, too
    base = _config(folder, tmp_path, said, neighborhood=(*NEAREST, (-3, 0, 0)))
    config = base.derive(segment=base.segment.derive(**changed))
    segment(config)
    name = "segmentation/mutex" if decoder == "mutex" else "fragments"
    found = open_array(segmentation(config, "v"), name).read(ROI)
    assert not found[~known].any()
    assert found[known].any()


def test_without_use_mask_all_is_used(folder, tmp_path) -> None:
    said = dict.fromkeys(SAID, True)
    base = _config(folder, tmp_path, said, use_mask=False)
    config = base.derive(evaluate=Evaluate(use_mask=False))
    segment(config)
    found = open_array(segmentation(config, "v"), "fragments").read(ROI)
    assert found[~_brute_force(said)].any()
    segments = open_array(segmentation(config, "v"), array_name(THRESHOLD)).read(ROI)
    region = _inside(said)
    assert evaluate(config).volumes["v"].scored == compare(
        segments[region], LABELS[region], ignore=(0,)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"unknown": None},
        {"invalid": "refuse", "raw": "raw"},
        {"region": ((4, 14),)},
        {"labels_mask": None},
    ],
)
def test_what_is_known_otherwise_is_segmented_anew(folder, tmp_path, changes) -> None:
    said = dict.fromkeys(SAID, True)
    config = _config(folder, tmp_path, said)
    segment(config)
    volume = config.dataset.validate[0].derive(**changes)
    other = config.derive(dataset=Dataset(validate=(volume,)))
    with pytest.raises(ValueError, match="what is known of the volume"):
        evaluate(other)
    segment(other)
    known = open_volume(volume, name="v", data_root=folder).read_known(ROI)
    expected = decode(
        AFFS, Affinities().neighborhood, config.segment, mask=known, first_section=int(ROI.begin[0])
    )
    np.testing.assert_array_equal(
        open_array(segmentation(config, "v"), "fragments").read(ROI), expected.fragments
    )
    assert evaluate(other).volumes["v"].scored is not None
