"""Instances of affinities that both ends of a pair speak of: true ones give the labels back, and
blocks are the whole."""

import shutil

import numpy as np
import pytest
from objects_run import another_run, decoded, known, make_config, read, smooth
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.both_ends import highest, merged, once_each
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.results import open_results
from lsd.segmentation.run import segment
from lsd.spec import Box, Foreground, Fragments, Head, Occupancy, Segment
from lsd.spec.paths import prediction
from lsd.targets.occupancy import occupancy

pytest.importorskip("mwatershed")

SHAPE = (12, 40, 44)
SIZES = {"3d": 3, "2d": 2}


def touching_objects(shape) -> np.ndarray:
    """Objects of a few voxels each, some of them cut in two that touch."""
    labels, _ = ndimage.label(smooth(3, 1, shape)[0] > 165)
    sizes = np.bincount(labels.reshape(-1))
    labels = np.where(sizes[labels] >= 12, labels, 0).astype(np.uint64)
    cut = np.indices(shape)[-1] > shape[-1] // 2
    return ndimage_pieces(np.where((labels > 0) & cut, labels + labels.max(), labels))


def ndimage_pieces(labels: np.ndarray) -> np.ndarray:
    """Pieces of more than one voxel, each an object."""
    pieces, last = np.zeros_like(labels), 0
    for name in np.unique(labels[labels > 0]):
        piece, count = ndimage.label(labels == name)
        sizes = np.bincount(piece.reshape(-1))
        pieces = np.where((piece > 0) & (sizes[piece] > 1), piece + last, pieces)
        last += count
    return pieces.astype(np.uint64)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = count_pairs(one, other)
    return len(pairs.first) == len(np.unique(one)) == len(np.unique(other))


def by_definition(affs: np.ndarray, offsets) -> np.ndarray:
    """Voxel after voxel."""
    kept = [k for k in offsets if tuple(-s for s in k) not in offsets or k < tuple(-s for s in k)]
    values = np.empty((len(kept), *affs.shape[1:]))
    for channel, k in enumerate(kept):
        opposite = tuple(-s for s in k)
        for voxel in np.ndindex(affs.shape[1:]):
            end = tuple(v + s for v, s in zip(voxel, k, strict=True))
            value = affs[(offsets.index(k), *voxel)]
            is_inside = all(0 <= e < n for e, n in zip(end, affs.shape[1:], strict=True))
            if opposite in offsets and is_inside:
                value = (value + affs[(offsets.index(opposite), *end)]) / 2
            values[(channel, *voxel)] = value
    return values


@pytest.mark.parametrize(
    "offsets",
    [
        tuple(k for k in Box(size=(3, 3, 3)).offsets_in(3) if any(k)),
        ((-1, 0, 0), (1, 0, 0), (0, 2, -1), (0, 0, 3), (0, -2, 1)),
    ],
)
def test_both_opinions_on_a_pair(offsets) -> None:
    affs = np.random.default_rng(0).random((len(offsets), 4, 5, 6)).astype(np.float32)
    np.testing.assert_allclose(merged(affs, offsets), by_definition(affs, offsets), atol=1e-6)
    stored = (255 * affs).astype(np.uint8)
    np.testing.assert_allclose(
        merged(stored, offsets), by_definition(stored / 255, offsets), atol=1e-6
    )
    half = once_each(offsets)
    assert len(half) == len({frozenset((k, tuple(-s for s in k))) for k in offsets})
    assert merged(affs[: len(half)], half) is affs[: len(half)] or np.shares_memory(
        merged(affs[: len(half)], half), affs
    )


def test_the_highest_affinity_of_a_voxel() -> None:
    affs = np.zeros((2, 3, 4), np.float32)
    affs[0, 0, 1], affs[1, 2, 2] = 0.4, 0.8
    expected = np.zeros((3, 4))
    # of the voxel itself, and of the one at the other end
    expected[0, 1] = expected[0, 0] = 0.4
    expected[2, 2] = expected[0, 3] = 0.8
    np.testing.assert_allclose(highest(affs, ((0, -1), (-2, 1))), expected)


def boxes(shape) -> np.ndarray:
    """Three objects, two of them a voxel apart."""
    labels = np.zeros(shape, np.uint64)
    labels[..., 3:19, 4:20], labels[..., 3:19, 21:38], labels[..., 24:37, 8:30] = 1, 2, 3
    return labels


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("by", ["mutex", "watershed"])
@pytest.mark.parametrize("foreground", [None, "inside"])
def test_true_occupancy_gives_the_labels_back(dims, half, by, foreground) -> None:
    # where two objects touch, distances alone do not tell which voxels are of which
    labels = touching_objects(SHAPE[-dims:]) if by == "mutex" else boxes(SHAPE[-dims:])
    offsets = Occupancy(kernel=Box(size=(3, 5, 5)), half=half).offsets_in(dims)
    affs, _ = occupancy(labels, offsets)
    heads = {
        "affs": Prediction(affs, offsets),
        "inside": Prediction((labels > 0)[np.newaxis].astype(np.float32)),
    }
    settings = Segment(
        decoder={"kind": "instance", "by": by, "foreground": foreground},
        fragments=Fragments(min_seed_distance=9, threshold=0.9, boundaries="affinity"),
    )
    found = decoder_of(settings).decode(heads, settings).segmentation(0.5)
    np.testing.assert_array_equal(found > 0, labels > 0)
    assert same_partition(found, labels)


@pytest.mark.parametrize("by", ["mutex", "watershed"])
def test_it_is_what_the_other_decoder_makes_within_the_foreground(by) -> None:
    affs, foreground = smooth(4, 26, SHAPE), smooth(5, 1, SHAPE)
    offsets = Occupancy(kernel=Box(size=(3, 3, 3))).offsets_in(3)
    fields = {"mutex": {"bias": (0.1, -0.3)}, "fragments": Fragments(min_seed_distance=3)}
    settings = Segment(decoder={"kind": "instance", "by": by, "foreground": "inside"}, **fields)
    heads = {"affs": Prediction(affs, offsets), "inside": Prediction(foreground)}
    found = decoder_of(settings).decode(heads, settings).segmentation(0.4)
    other = decode(
        merged(affs, offsets),
        once_each(offsets),
        Segment(decoder=by, **fields),
        mask=foreground[0] >= 127.5,
    )
    np.testing.assert_array_equal(found, other.segmentation(0.4))
    assert found.max() > 3


@pytest.mark.parametrize("foreground", [None, "inside", "around"])
@pytest.mark.parametrize("use_mask", [False, True])
def test_by_mutex_from_disk(tmp_path, foreground, use_mask) -> None:
    target = Occupancy(kernel=Box(size=(3, 3, 3)))
    heads = {"affs": Head(target=target), "inside": Head(target=Foreground())}
    around = Occupancy(mode="foreground", kernel=((0, 0, 1), (0, 0, 0), (0, 1, 0)))
    heads["around"] = Head(target=around)
    arrays = {"affs": smooth(7, 26, SHAPE), "inside": smooth(8, 1, SHAPE)}
    # what a voxel says of itself is foreground
    arrays["around"] = np.concatenate([smooth(9, 1, SHAPE), arrays["inside"], smooth(6, 1, SHAPE)])
    asked = Segment(
        decoder={"kind": "instance", "foreground": foreground, "inside": 0.6},
        mutex={"bias": (0.1, -0.3)},
        use_mask=use_mask,
    )
    config = make_config(tmp_path, heads, arrays, segment=asked)
    segment(config)
    found = read(config, "segmentation/mutex")
    assert found.max() > 3
    np.testing.assert_array_equal(found, decoded(config).segmentation(0.5))
    if foreground:
        assert not found[arrays["inside"][0] < 0.6 * 255].any()
    if use_mask:
        assert not found[~known(config)].any()
    # what was read is told by what is there, once the prediction is gone
    shutil.rmtree(prediction(config, "em"))
    assert open_results(config, "em").array.name.endswith("segmentation/mutex")


def test_what_differs_is_told_by_its_name(tmp_path) -> None:
    target = Occupancy(kernel=Box(size=(3, 3, 3)))
    heads = {"affs": Head(target=target), "inside": Head(target=Foreground())}
    arrays = {"affs": smooth(7, 26, SHAPE), "inside": smooth(8, 1, SHAPE)}
    by_head = {"kind": "instance", "foreground": "inside"}
    config = make_config(tmp_path, heads, arrays, segment=Segment(decoder=by_head))
    segment(config)
    told = {
        r"now: segment\.decoder\.inside: 0\.5 there, 0\.6 asked for;": {
            "decoder": {**by_head, "inside": 0.6}
        },
        r"now: segment\.use_mask: False there, True asked for;": {"use_mask": True},
        r"where objects are: name: inside/0 there, affs/0 asked for": {"decoder": "instance"},
    }
    for words, settings in told.items():
        with pytest.raises(ValueError, match=words):
            open_results(config.derive(segment=settings), "em")
    another = r"now: segment\.decoder: another there;"
    mutex = another_run(config, "mutex", decoder="mutex")
    with pytest.raises(ValueError, match=another):
        open_results(config.derive(segment={"decoder": "mutex"}), "em")
    segment(mutex)
    with pytest.raises(ValueError, match=another):
        open_results(mutex.derive(segment={"decoder": by_head}), "em")
    segment(config.derive(segment={"use_mask": True}))
    with pytest.raises(ValueError, match=r"now: segment\.use_mask: True there, False asked for;"):
        open_results(config, "em")


def test_by_watershed_over_blocks(tmp_path) -> None:
    """What is merged is the same in each block, up to the pairs that lead out of what it reads; so
    fragments are those of the whole where their context suffices."""
    labels = touching_objects(SHAPE)
    target = Occupancy(kernel=Box(size=(3, 3, 3)))
    affs, _ = occupancy(labels, target.offsets_in(3))
    arrays = {"affs": (255 * affs).astype(np.uint8)}
    asked = Segment(
        decoder={"kind": "instance", "by": "watershed"},
        fragments=Fragments(min_seed_distance=3, threshold=0.9),
        thresholds=(0.5, 0.9),
    )
    config = make_config(tmp_path, {"affs": Head(target=target)}, arrays, segment=asked)
    segment(config)
    whole = decoded(config)
    for threshold in asked.thresholds:
        found = read(config, f"segmentation/{threshold}")
        np.testing.assert_array_equal(found, whole.segmentation(threshold))
    blocks = another_run(config, "blocks", block=(6, 16, 32), context=(12, 40, 44))
    segment(blocks)
    for threshold in asked.thresholds:
        name = f"segmentation/{threshold}"
        assert same_partition(read(blocks, name), read(config, name))
