"""Objects from what a head of interior and boundary learns."""

import numpy as np
import pytest
from scipy import ndimage

import lsd
from lsd.notebook.heads import Heads
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Channels, Prediction
from lsd.spec import Interior, Segment
from lsd.targets.interior_boundary import interior_boundary

NAMES = ("interior", "boundary")


def cells(shape, seed):
    """Objects that touch, by the nearest of some points, and background between others."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, shape, (7, len(shape)))
    away = np.stack([
        ((np.indices(shape).T - point) ** 2).sum(axis=-1).T for point in points
    ])  # fmt: skip
    labels = away.argmin(axis=0) + 1
    return np.where(away.min(axis=0) < 60, labels, 0).astype(np.uint64)


def decoded(labels, *, width=1.0, mask=None, **fields):
    target, _ = interior_boundary(labels, width=width)
    head = Prediction(target, names=NAMES)
    settings = Segment(decoder=Interior(**fields))
    made = decoder_of(settings).decode({"objects": head}, settings, mask=mask)
    return made.segmentation(0.5), target


@pytest.mark.parametrize("shape", [(14, 20, 22), (30, 34)])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_learned_of_objects_gives_them_back(shape, seed) -> None:
    labels = cells(shape, seed)
    segments, target = decoded(labels)
    # each voxel that has an interior of its object beside it, by faces
    cores, _ = ndimage.label(target[0])
    step = ndimage.generate_binary_structure(labels.ndim, 1)
    for core in range(1, cores.max() + 1):
        [label] = np.unique(labels[cores == core])
        beside = ndimage.binary_dilation(cores == core, step) & (labels == label)
        [segment] = np.unique(segments[cores == core])
        assert (segments[beside] == segment).mean() > 0.9
    overlap = segments > 0
    # nothing is grown into the background, and what is grown is nearly all of the objects
    assert not overlap[labels == 0].any()
    assert overlap[labels > 0].mean() > 0.93


def test_growth_ends_at_its_reach() -> None:
    labels = cells((14, 20, 22), 0)
    whole, target = decoded(labels, width=3.0, reach=5)
    near, _ = decoded(labels, width=3.0, reach=1)
    none, _ = decoded(labels, width=3.0, reach=0)
    assert np.array_equal(none > 0, target[0] > 0)
    away = ndimage.distance_transform_edt(target[0] == 0)
    assert away[near > 0].max() == 1
    assert np.count_nonzero(near) < np.count_nonzero(whole)
    assert np.array_equal(near[none > 0], none[none > 0])


def test_small_interiors_are_dropped_and_holes_filled() -> None:
    labels = np.zeros((20, 40), np.uint64)
    labels[2:18, 2:18], labels[4:7, 30:33] = 1, 2
    target, _ = interior_boundary(labels)
    target[0, 9:11, 9:11] = 0
    head = {"objects": Prediction(target, names=NAMES)}

    def count(**fields):
        settings = Segment(decoder=Interior(reach=0, **fields))
        segments = decoder_of(settings).decode(head, settings).segmentation(0.5)
        return len(np.unique(segments)) - 1, int(segments[9, 9])

    assert count() == (2, 0)
    assert count(min_size=10) == (1, 0)
    assert count(min_size=10, fill_holes=True) == (1, 1)


def test_nothing_lies_outside_of_the_mask() -> None:
    labels = cells((14, 20, 22), 1)
    mask = np.arange(22) < 11
    segments, _ = decoded(labels, mask=np.broadcast_to(mask, labels.shape))
    assert not segments[..., 11:].any()
    assert segments[..., :11].any()


def test_a_head_of_other_channels_is_refused() -> None:
    decoder = decoder_of(Segment(decoder=Interior(head="mask")))
    words = decoder.misfit({"mask": Channels(1)})
    assert "interior and boundary of head 'mask', which has others; name a head" in words
    assert decoder.misfit({"mask": Channels(2, names=NAMES)}) is None


def test_it_is_taken_by_name_in_one_call() -> None:
    labels = cells((14, 20, 22), 2)
    target, _ = interior_boundary(labels)
    values, channels = {"objects": target}, {"objects": NAMES}
    heads = Heads(values, neighborhoods={}, ranges={"objects": (0, 1)}, channels=channels)
    assert np.array_equal(lsd.segment(heads, decoder="interior"), decoded(labels)[0])
