"""lsd.segment: segments from affinities in one call."""

from typing import ClassVar, Literal

import numpy as np
import pytest
from kinds_outside.decoders import Pieces
from scipy import ndimage

import lsd
from lsd.notebook.heads import Heads
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.spec import Decoder, Segment

NEAR = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
FAR = (*NEAR, (-3, 0, 0), (0, -9, 0), (0, 0, -9))
RNG = np.random.default_rng(3)
# blocks of 6 x 12 x 14 voxels, and a voxel of background between them
PLACES = np.ogrid[:18, :36, :42]
INSIDE = (PLACES[0] % 6 > 0) & (PLACES[1] % 12 > 0) & (PLACES[2] % 14 > 0)
LABELS = INSIDE * (
    1
    + (np.arange(18)[:, None, None] // 6) * 9
    + (np.arange(36)[None, :, None] // 12) * 3
    + np.arange(42) // 14
)
TRUTH, _ = lsd.affinities(LABELS, NEAR)
NOISY = np.clip(TRUTH * 0.8 + RNG.uniform(0, 0.2, TRUTH.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
def test_affinities_of_the_truth_give_it_back(dtype) -> None:
    """Floats as they are, uint8 as they lie on disk."""
    affs = (NOISY * (255 if dtype == np.uint8 else 1)).astype(dtype)
    before = affs.copy()
    found = lsd.segment(affs, threshold=0.5)
    assert (found.dtype, found.shape) == (np.uint64, LABELS.shape)
    assert lsd.compare(found, LABELS).voi_sum == 0
    np.testing.assert_array_equal(affs, before)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("scoring", ["mean", "hist_quant_75"])
def test_as_the_command_segments(threshold, scoring) -> None:
    settings = Segment(scoring=scoring, fragments={"min_seed_distance": 4})
    expected = decode(NOISY, NEAR, settings).segmentation(threshold)
    found = lsd.segment(
        NOISY, threshold=threshold, scoring=scoring, fragments={"min_seed_distance": 4}
    )
    np.testing.assert_array_equal(found, expected)


def test_all_that_touches_is_one_at_the_highest_threshold() -> None:
    assert len(np.unique(lsd.segment(NOISY, threshold=1))) == 1


def test_a_mask_is_left_empty() -> None:
    mask = np.ones(LABELS.shape, bool)
    mask[:, :10] = False
    found = lsd.segment(NOISY, mask=mask)
    assert not found[~mask].any()
    assert found[mask].all()


@pytest.mark.parametrize("volume", [NOISY[1:], NOISY[1:, 4]], ids=["3D", "2D"])
def test_two_channels_are_of_the_plane(volume) -> None:
    """Sections of a 3D volume have no segment in common."""
    found = lsd.segment(volume, threshold=0.5)
    assert found.shape == volume.shape[1:]
    if found.ndim == 3:
        ids = [set(np.unique(section)) - {0} for section in found]
        assert not set.intersection(*ids)


def test_long_range_affinities_by_the_mutex_watershed() -> None:
    pytest.importorskip("mwatershed")
    affs, _ = lsd.affinities(LABELS, FAR)
    found = lsd.segment(affs, neighborhood=FAR, decoder="mutex")
    assert lsd.compare(found, LABELS).voi_sum == 0


class Right(Decoder):
    """Pieces where the flow goes to the right, inside of what the boundary leaves."""

    kind: Literal["right"] = "right"
    behaviour: ClassVar[str] = "test_segment:RightDecoder"


class RightDecoder(BlockDecoder):
    """Reads a head in -1..1 and one in 0..1."""

    def reads(self, settings):
        return ("flow", "boundary")

    def segments(self, heads, *, mask, first_section):
        inside = (heads["flow"].predicted[2] > 0) & (heads["boundary"].probabilities[0] < 0.5)
        return ndimage.label(inside if mask is None else inside & mask)[0].astype(np.uint64)


BOUNDARY = (LABELS == 0).astype(np.float32)[np.newaxis]
INSIDE = ndimage.label(LABELS > 0)[0]


@pytest.mark.parametrize(
    "heads",
    [
        BOUNDARY,
        (BOUNDARY * 255).astype(np.uint8),
        {"boundary": BOUNDARY, "affs": NOISY},
        {"boundary": BOUNDARY.tolist()},
    ],
    ids=["array", "uint8", "heads", "list"],
)
@pytest.mark.parametrize(
    "given",
    [
        {"decoder": Pieces(highest=0.3)},
        {"decoder": {"kind": "pieces", "highest": 0.3}},
        {"decoder": "pieces", "imports": "kinds_outside.decoders"},
    ],
    ids=["value", "fields", "name"],
)
def test_a_decoder_of_ones_own_takes_what_it_reads(heads, given) -> None:
    if isinstance(heads, dict):
        heads = {name: np.asarray(head, np.float32) for name, head in heads.items()}
    given = {**given, "ranges": {"boundary": (0, 1)} if isinstance(heads, dict) else (0, 1)}
    found = lsd.segment(heads, **given)
    np.testing.assert_array_equal(found, INSIDE)
    assert found.dtype == np.uint64
    masked = lsd.segment(heads, mask=LABELS < 5, **given)
    assert not masked[LABELS >= 5].any()


def test_heads_of_several_ranges() -> None:
    """They are known of what a network predicted, and said of arrays."""
    flow = np.zeros((3, *LABELS.shape), np.float32)
    flow[2] = np.where(np.arange(42) < 20, 0.5, -0.5)
    arrays = {"flow": flow, "boundary": BOUNDARY}
    heads = Heads(arrays, neighborhoods={}, ranges={"flow": (-1, 1), "boundary": (0, 1)})
    expected = ndimage.label((LABELS > 0) & (np.arange(42) < 20))[0]
    np.testing.assert_array_equal(lsd.segment(heads, decoder=Right()), expected)
    ranges = {"flow": (-1, 1), "boundary": (0, 1)}
    np.testing.assert_array_equal(lsd.segment(arrays, decoder=Right(), ranges=ranges), expected)
    # as they lie on disk: -0.5 and 0.5 of -1..1 are 64 and 191 of 0..255
    stored = {
        name: np.round((arrays[name] - low) / (high - low) * 255).astype(np.uint8)
        for name, (low, high) in ranges.items()
    }
    assert set(np.unique(stored["flow"][2])) == {64, 191}
    np.testing.assert_array_equal(lsd.segment(stored, decoder=Right(), ranges=ranges), expected)
    with pytest.raises(ValueError, match=r"head 'flow' lies in -0\.5\.\.0\.5, allowed: 0\.\.1"):
        lsd.segment(arrays, decoder=Right(), ranges={"flow": (0, 1), "boundary": (0, 1)})
    with pytest.raises(ValueError, match="reads 2 heads, so give them by name"):
        lsd.segment(flow, decoder=Right())
    with pytest.raises(ValueError, match="reads the head 'boundary'; those given are: flow"):
        lsd.segment({"flow": flow}, decoder=Right())
    with pytest.raises(ValueError, match="heads have different shapes"):
        lsd.segment({**arrays, "flow": flow[:, 1:]}, decoder=Right(), ranges=ranges)
    with pytest.raises(ValueError, match="head 'boundary' is int64"):
        lsd.segment(BOUNDARY.astype(np.int64), decoder=Pieces())


PREDICTED = Heads({"boundary": BOUNDARY}, neighborhoods={}, ranges={"boundary": (0, 1)})


@pytest.mark.parametrize(
    "heads",
    [
        BOUNDARY,
        (BOUNDARY * 255).astype(np.uint8),
        {"boundary": BOUNDARY},
        dict(PREDICTED),
        PREDICTED.copy(),
    ],
    ids=["floats", "uint8", "by name", "a dictionary of it", "a copy"],
)
def test_a_head_whose_range_is_not_known_is_refused(heads) -> None:
    """Unless it is said; nothing is taken for 0..1 because its values happen to lie there."""
    with pytest.raises(ValueError, match=r"'boundary': an array does not say .* as in ranges="):
        lsd.segment(heads, decoder=Pieces(highest=0.3))
    found = lsd.segment(heads, decoder=Pieces(highest=0.3), ranges=(0, 1))
    np.testing.assert_array_equal(found, lsd.segment(PREDICTED, decoder=Pieces(highest=0.3)))


@pytest.mark.parametrize(
    ("heads", "given", "says"),
    [
        (BOUNDARY, {"ranges": (1, -1)}, r"lowest and its highest value, .*got \(1, -1\)"),
        (BOUNDARY, {"ranges": 3}, "lowest and its highest value, .*got 3"),
        (BOUNDARY, {"ranges": {"bondary": (0, 1)}}, "names the head 'bondary'; .*boundary"),
        (BOUNDARY.astype(np.uint8), {"ranges": (0, np.inf)}, "ends on both sides; it is 0..inf"),
        (BOUNDARY, {"threshold": 0.5}, "'pieces' has no thresholds; leave threshold out"),
        (BOUNDARY, {"scoring": "mean"}, "'pieces' does not take scoring; it takes: affinities"),
        (NOISY, {"decoder": "mutex", "threshold": 0.5}, "'mutex' has no thresholds"),
        (NOISY, {"decoder": "mutex", "fragments": {}}, "'mutex' does not take fragments"),
        (NOISY, {"decoder": "watershed", "mutex": {}}, "'watershed' does not take mutex"),
        (NOISY, {"decoder": "watershed", "ranges": (-1, 1)}, r"affinities, which lie in 0\.\.1"),
        (BOUNDARY, {"decoder": Right(), "ranges": (0, 1)}, "reads 2 heads"),
        (
            {"flow": BOUNDARY, "boundary": BOUNDARY},
            {"decoder": Right(), "ranges": (0, 1)},
            "one pair for 2 heads, flow, boundary; give one a head",
        ),
    ],
)
def test_ranges_and_settings_that_do_not_fit_the_decoder(heads, given, says) -> None:
    with pytest.raises(ValueError, match=says) as error:
        lsd.segment(heads, **{"decoder": Pieces(), **given})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["affs", "far"])
def test_offsets_by_the_name_of_the_head(name) -> None:
    affs, _ = lsd.affinities(LABELS, FAR)
    expected = lsd.segment(affs, neighborhood=FAR, scoring="mean_all")
    for given in (FAR, {name: FAR, "other": NEAR}):
        found = lsd.segment(
            {name: affs, "other": NOISY}, neighborhood=given, affinities=name, scoring="mean_all"
        )
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("affs", "given", "says"),
    [
        (NOISY, {"threshold": 1.5}, "threshold is a number, 0 to 1, got 1.5"),
        (np.concatenate([NOISY, NOISY]), {}, "name the offset of each channel"),
        (NOISY[0], {}, r"affs have shape \(18, 36, 42\)"),
        (NOISY, {"neighborhood": FAR}, "offset"),
        (NOISY, {"neighborhood": (-1, 0, 0)}, r"a list of offsets .*got \(-1, 0, 0\)"),
        (NOISY, {"threshold": "0.5"}, "threshold is a number, 0 to 1, got '0.5'"),
        (NOISY, {"treshold": 0.5}, "no argument 'treshold'; did you mean 'threshold'"),
        (NOISY, {"scorring": "mean"}, "no argument 'scorring'; did you mean 'scoring'"),
        (NOISY, {"mask": np.ones((3, 3, 3))}, r"mask has shape \(3, 3, 3\)"),
        ((NOISY * 255).astype(np.int64), {}, r"int64; .*use \.astype\(np\.uint8\)"),
        ({"lsds": NOISY}, {}, "reads the head 'affs'; those given are: lsds"),
        (NOISY, {"imports": 3}, "imports is a name or a list of names, got 3"),
        (NOISY, {"imports": "not_there"}, "there is no module 'not_there'"),
        (NOISY * 3, {}, "0"),
        (NOISY, {"scoring": "median"}, "scoring: 'median' is unknown"),
        (NOISY, {"workers": 3}, "segment has no argument 'workers'"),
        (NOISY, {"decoder": "invented"}, "invented"),
        (NOISY, {"fragments": {"min_seed_distanc": 3}}, "did you mean 'min_seed_distance'"),
    ],
)
def test_what_is_wrong_is_said(affs, given, says) -> None:
    with pytest.raises(ValueError, match=says) as error:
        lsd.segment(affs, **given)
    assert "\n" not in str(error.value)
