"""What people hand to the functions of the face by mistake: accepted where it can be meant in one
way only, else refused in a sentence; never a bare TypeError."""

import numpy as np
import pytest

import lsd

LABELS = np.kron(np.arange(1, 9).reshape(2, 2, 2), np.ones((5, 5, 5), int)).astype(np.uint64)
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
AFFS = lsd.affinities(LABELS, OFFSETS)[0]

# name -> a call that is right
RIGHT = {
    "EmbeddingLoss": ((), {}),
    "MalisLoss": ((OFFSETS,), {}),
    "SupervoxelLoss": ((OFFSETS,), {}),
    "affinities": ((LABELS, OFFSETS), {}),
    "agglomerate": ((AFFS, LABELS), {}),
    "compare": ((LABELS, LABELS), {}),
    "consensus": ((AFFS, OFFSETS), {}),
    "descriptors": ((LABELS,), {"voxel_size": (8, 8, 8), "sigma": 16}),
    "error_sites": ((LABELS, LABELS), {}),
    "fragments": ((AFFS,), {}),
    "load": (("nope.pt",), {}),
    "locate": ((LABELS,), {"voxel_size": (8, 8, 8)}),
    "occupancy": ((LABELS, OFFSETS), {}),
    "open_volume": (("nope.zarr",), {}),
    "segment": ((AFFS,), {}),
}
# those that need no argument
OPTIONAL = ("EmbeddingLoss", "SupervoxelLoss")


def test_all_functions_are_tried() -> None:
    assert {*RIGHT, "spec"} == set(lsd.__all__)


@pytest.mark.parametrize("name", RIGHT)
def test_calls_that_do_not_fit_are_explained(name) -> None:
    function, (arguments, named) = getattr(lsd, name), RIGHT[name]
    with pytest.raises(ValueError, match=f"{name} has no argument 'no_such_thing'; there are: "):
        function(*arguments, **named, no_such_thing=3)
    with pytest.raises(ValueError, match=rf"{name} takes no(thing| more than \w+)"):
        function(*arguments, *range(9), **named)
    if name in OPTIONAL:
        assert function()
        return
    with pytest.raises(ValueError, match=rf"{name} was called without \w+.*, which it needs"):
        function()


@pytest.mark.parametrize(
    ("name", "wrong", "meant"),
    [
        ("affinities", "maks", "mask"),
        ("agglomerate", "neighbourhood", "neighborhood"),
        ("compare", "ignored", "ignore"),
        ("consensus", "weight", "weights"),
        ("occupancy", "modus", "mode"),
        ("descriptors", "voxelsize", "voxel_size"),
        ("fragments", "min_seed_dist", "min_seed_distance"),
        ("EmbeddingLoss", "alhpa", "alpha"),
        ("load", "import_", "imports"),
        ("SupervoxelLoss", "wsplit", "w_split"),
        ("open_volume", "label", "labels"),
        ("segment", "treshold", "threshold"),
        ("segment", "fragment", "fragments"),
    ],
)
def test_the_keyword_that_was_meant_is_suggested(name, wrong, meant) -> None:
    arguments, named = RIGHT[name]
    with pytest.raises(ValueError, match=f"no argument '{wrong}'; did you mean '{meant}'"):
        getattr(lsd, name)(*arguments, **{**named, wrong: 0})


@pytest.mark.parametrize(
    "wrong", [(-1, 0, 0), 3, "zyx", [("a", 0, 0)], [(float("inf"), 0, 0)], None]
)
def test_a_neighborhood_is_a_list_of_offsets(wrong) -> None:
    words = r"a neighborhood is a list of offsets .*as in \[\(-1, 0, 0\), .*; got "
    with pytest.raises(ValueError, match=words):
        lsd.affinities(LABELS, wrong)
    if wrong is not None:
        for loss in (lsd.MalisLoss, lsd.SupervoxelLoss):
            with pytest.raises(ValueError, match=words):
                loss(wrong)
        for function in (lsd.segment, lambda affs, **named: lsd.agglomerate(affs, LABELS, **named)):
            with pytest.raises(ValueError, match=words):
                function(AFFS, neighborhood=wrong)


def test_a_neighborhood_may_be_an_array() -> None:
    np.testing.assert_array_equal(lsd.affinities(LABELS, np.array(OFFSETS, float))[0], AFFS)
    np.testing.assert_array_equal(
        lsd.segment(AFFS, neighborhood=np.array(OFFSETS)), lsd.segment(AFFS)
    )


def test_one_length_is_that_of_all_axes() -> None:
    np.testing.assert_array_equal(
        lsd.descriptors(LABELS, voxel_size=8, sigma=np.float32(16)),
        lsd.descriptors(LABELS, voxel_size=(8, 8, 8), sigma=[16, 16, 16]),
    )


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("descriptors", {"voxel_size": "8"}, "voxel_size has one positive number an axis.*got '8'"),
        ("descriptors", {"sigma": None}, "sigma has one positive number an axis.*got None"),
        ("descriptors", {"sigma": [[16]]}, r"sigma has one positive number.*got \[\[16\]\]"),
        ("descriptors", {"downsample": "2"}, "downsample is a number, got '2'"),
        ("descriptors", {"downsample": 1.5}, "downsample is a whole number, 1 or more, got 1.5"),
        ("descriptors", {"threads": "all"}, "threads is a number, got 'all'"),
        ("descriptors", {"components": 12}, "components 12 names channels of 3D by digits"),
        ("descriptors", {"device": "gpu"}, "device 'gpu' cannot be used"),
        ("fragments", {"threshold": "0.5"}, "threshold is a number, got '0.5'"),
        ("fragments", {"threshold": None}, "threshold is a number, got None"),
        ("fragments", {"min_seed_distance": "6"}, "min_seed_distance is a number, got '6'"),
        ("fragments", {"min_size": 1.5}, "min_size is a whole number, 0 or more, got 1.5"),
        ("fragments", {"epsilon_agglomerate": "a"}, "epsilon_agglomerate is a number, got 'a'"),
        ("fragments", {"blank_sections": "all"}, "blank_sections is a number, got 'all'"),
        ("fragments", {"blank_sections": 99}, r"blank_sections \(99,\) are not all sections"),
        ("agglomerate", {"caution": "much"}, "caution is a number, got 'much'"),
        ("agglomerate", {"cautious_above": 0}, "cautious_above is a whole number, 1 or more"),
        ("compare", {"ignore": "0"}, "ignore"),
        ("compare", {"ignore": -1}, "ignore: .*got -1"),
        ("compare", {"background": 0}, "background is 0; allowed: label, ignore, singletons"),
    ],
)
def test_values_of_another_kind_are_refused_in_words(name, wrong, words) -> None:
    arguments, named = RIGHT[name]
    with pytest.raises(ValueError, match=words):
        getattr(lsd, name)(*arguments, **{**named, **wrong})


def test_one_stands_for_a_tuple_of_it() -> None:
    score = lsd.compare(LABELS, LABELS, ignore=1)
    assert score == lsd.compare(LABELS, LABELS, ignore=(1,))
    assert score.voxels == (LABELS != 1).sum()
    np.testing.assert_array_equal(
        lsd.fragments(AFFS, blank_sections=2), lsd.fragments(AFFS, blank_sections=(2,))
    )


@pytest.mark.parametrize("name", ["fragments", "segment", "agglomerate"])
def test_integers_of_eight_bytes_are_told_what_to_become(name) -> None:
    affs = (AFFS * 255).astype(np.int64)
    others = (LABELS,) if name == "agglomerate" else ()
    with pytest.raises(ValueError, match=r"int64; .*\.astype\(np\.uint8\) where they lie in 0"):
        getattr(lsd, name)(affs, *others)
