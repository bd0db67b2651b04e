"""Every decoder and every scoring of this package has its answers, so that a new one is tested on
arrival."""

import json
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from in_blocks import noise

from lsd.arrays.pairs import touching
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.segmentation.decoders.decoder import PredictedValues, decoder_of
from lsd.segmentation.kernels.prediction import Learned, Prediction, range_of
from lsd.segmentation.scoring.scoring import scoring_of
from lsd.spec import NEAREST, Decoder, Descriptors, Fragments, Scores, Scoring, Segment
from lsd.spec.effect import NoEffect, effective

FAR = (*NEAREST, (-3, 0, 0), (0, -3, 0), (0, 0, -3))
SHAPE = (10, 16, 18)


def ours(family):
    return [kind for kind in family.kinds().values() if kind.__module__.startswith("lsd.")]


def heads_for(decoder, settings, seed):
    """Heads of what the decoder reads: affinities, and of the others the first of these that fits:
    one channel, what is said of voxels around, interior and boundary, descriptors."""
    affs = noise(len(FAR), SHAPE, seed)
    others = (
        Prediction(affs[:1]),
        Prediction(affs, occupancy=FAR),
        Prediction(affs[:2] / 2, names=("interior", "boundary")),
        Prediction(
            noise(10, SHAPE, seed),
            voxel_size=(1.0,) * len(SHAPE),
            learned=Learned(Descriptors(sigma=2.0), len(SHAPE)),
        ),
    )
    for other in others:
        heads = {
            name: Prediction(affs, FAR) if name == settings.affinities else other
            for name in decoder.reads(settings)
        }
        if decoder.misfit({name: head.channels for name, head in heads.items()}) is None:
            return heads
    raise AssertionError(f"none of these fits {decoder}")


@pytest.mark.parametrize("kind", ours(Decoder), ids=lambda kind: kind.__name__)
def test_every_decoder(kind) -> None:
    pytest.importorskip("mwatershed")
    settings = Segment(
        decoder=kind(), fragments=Fragments(min_seed_distance=3), mutex={"bias": (0.1, -0.3)}
    )
    decoder = decoder_of(settings)
    heads = heads_for(decoder, settings, 0)
    found = decoder.decode(heads, settings)
    parts = list(found.parts((0.4, 0.6)))
    assert [t for _, thresholds in parts for t in thresholds] == [0.4, 0.6]
    for part, _ in parts:
        assert part.fragments.shape == SHAPE
        ids = np.unique(part.fragments)
        np.testing.assert_array_equal(ids[ids > 0], np.arange(1, ids.max() + 1))
        # a segmentation of its own at each threshold, or what edges join
        assert (len(part.edges) > 0) == (decoder.has_thresholds and len(parts) == 1)
    last, _ = parts[-1]
    np.testing.assert_array_equal(found.segmentation(0.6), last.segmentation(0.6))
    if decoder.reads_affinities and len(heads) == 1:
        again = decode(heads[settings.affinities].values, FAR, settings)
        np.testing.assert_array_equal(found.segmentation(0.4), again.segmentation(0.4))
    strength = decoder.strength(heads, settings)
    assert strength.shape == SHAPE
    assert 0 <= strength.min() <= strength.max() <= 1
    for high in (0.0, 1 / 255, 0.3, 1.0):
        assert decoder.why_nothing(PredictedValues(0.0, high, high, np.dtype("u1")), settings)
    assert decoder.array_name(0.3 if decoder.has_thresholds else None).startswith("segmentation/")
    # written by its name, as configs of before have it
    assert settings.model_dump(mode="json")["decoder"] == kind().kind
    assert Segment(decoder=kind().kind).decoder == kind()


def test_nothing_outside_of_the_mask() -> None:
    """What is outside of the mask is in no segment, whatever decoder."""
    mask = np.ones(SHAPE, bool)
    mask[:, 8] = False
    for kind in ours(Decoder):
        settings = Segment(decoder=kind(), fragments=Fragments(min_seed_distance=3))
        decoder = decoder_of(settings)
        found = decoder.decode(heads_for(decoder, settings, 1), settings, mask=mask)
        assert not found.segmentation(0.4)[:, 8].any()


NAMES = ("mean", "mean_all", "hist_quant_10", "hist_quant_95_max", "size_difference")


@pytest.mark.parametrize("name", NAMES)
def test_every_scoring(name) -> None:
    scoring, affs = scoring_of(name), noise(len(FAR), SHAPE, 2)
    settings = Segment(scoring=name, fragments=Fragments(min_seed_distance=3))
    fragments = decode(affs, FAR, settings).fragments
    edges, scores = agglomerate(affs, fragments, neighborhood=FAR, **settings.scores)
    np.testing.assert_array_equal(edges, touching(fragments))
    assert ((scores >= 0) & (scores <= 1)).all()
    looked, offsets = scoring.looked_at(affs, FAR)
    assert len(looked) == len(offsets) == (6 if scoring.spec.is_far else 3)
    assert (settings.grown == "whole") == scoring.spec.is_mean
    # as they stand in configs and in fingerprints
    assert settings.model_dump(mode="json")["scoring"] == name
    noted = {"scoring": name, "caution": 0.0, "cautious_above": 3000}
    assert effective(Scores(**settings.scores)) == noted
    assert json.loads(Scores(**settings.scores).model_dump_json()) == noted


def test_all_kinds_of_scoring_are_among_them() -> None:
    assert {type(Scoring.from_name(name)) for name in NAMES} == set(ours(Scoring))
    with pytest.raises(ValueError, match=r"quantile 77 is not there; allowed: 10, 15 \.\. 95"):
        Segment(scoring={"kind": "hist_quant", "quantile": 77})
    fields = {"kind": "hist_quant", "quantile": 75, "from_highest": True}
    assert Segment(scoring=fields).model_dump()["scoring"] == "hist_quant_75_max"


class Sized(Scoring):
    """Of a class of its own, with a field that changes no value."""

    kind: Literal["sized"] = "sized"
    behaviour: ClassVar[str] = "lsd.segmentation.scoring.means:MeanScoring"
    size: int = 1
    note: Annotated[str, NoEffect("it is for people")] = ""


def test_what_has_no_effect_changes_no_fingerprint() -> None:
    assert effective(Sized()) == effective(Sized(note="a"))
    assert effective(Sized(size=2)) == effective(Sized(size=2, note="a")) != effective(Sized())
    assert effective(Sized()).keys() == {"kind", "size", "code"}
    # of this package, the name says all
    assert effective(Segment().scoring) == "mean"


class Given(Decoder):
    """Gives what it is told."""

    kind: Literal["given"] = "given"
    behaviour: ClassVar[str] = f"{__name__}:GivenDecoder"


class GivenDecoder(BlockDecoder):
    given: ClassVar[Any] = None

    def reads(self, settings):
        return ("affs",)

    def segments(self, heads, *, mask, first_section):
        return self.given(heads["affs"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            lambda head: None,
            r"test_decoders\.py, line \d+\): segments gives nothing",
        ),
        (lambda head: np.ones((2, 4, 4), int), r"gives segments of shape \(2, 4, 4\); wanted: "),
        (
            lambda head: head.values[0].astype(float),
            r"ids must be whole numbers, and the dtype is float64",
        ),
        (lambda head: np.full((3, 4, 4), -1), r"ids are 0 \(background\) or positive, got -1"),
        (
            lambda head: head.probabilities,
            r"'given' \(.*test_decoders\.py, line \d+\): ValueError: the head",
        ),
    ],
)
def test_what_a_decoder_of_ones_own_gives_is_looked_at(monkeypatch, given, says) -> None:
    monkeypatch.setattr(GivenDecoder, "given", staticmethod(given))
    heads = {"affs": Prediction(np.zeros((1, 3, 4, 4), np.uint8), None, (-1.0, 1.0))}
    with pytest.raises(ValueError, match=says):
        decoder_of(Segment(decoder=Given())).decode(heads, Segment())


def test_a_head_has_the_values_of_its_target_however_they_are_stored() -> None:
    stored = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    floats = np.array([-1, -0.6, 1], np.float32).reshape(1, 1, 1, 3)
    for values in (stored, floats):
        head = Prediction(values, None, (-1.0, 1.0))
        np.testing.assert_allclose(head.predicted, floats, atol=1e-6)
        with pytest.raises(ValueError, match=r"lies in -1\.\.1; take `predicted`"):
            _ = head.probabilities
    assert range_of({"prediction": {"values": [-1, 1]}}) == (-1, 1)
    assert range_of({}) == (0, 1)
