import itertools

import gunpowder as gp
import numpy as np

from lsd import spec
from lsd.arrays.turning import Turn
from lsd.batches.augmentations.simple import TurnAround, draw_turn

TURNS = [
    Turn(order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]
CUBE = (1.0, 1.0, 1.0)


def drawn(simple, **options):
    rng = np.random.default_rng(0)
    return {draw_turn(simple, rng, **{"voxel_size": CUBE, **options}) for _ in range(2000)}


def test_every_turn_is_drawn():
    assert drawn(spec.Simple()) == set(TURNS)


def test_only_named_axes_are_mirrored_and_transposed():
    assert drawn(spec.Simple(mirror="z", transpose="")) == {
        Turn((0, 1, 2), (flip, False, False)) for flip in (0, 1)
    }
    assert {o.order for o in drawn(spec.Simple(mirror="", transpose="yx"))} == {
        (0, 1, 2),
        (0, 2, 1),
    }


def test_axes_of_different_voxel_size_are_not_transposed():
    assert {o.order for o in drawn(spec.Simple(), voxel_size=(40.0, 4.0, 4.0))} == {
        (0, 1, 2),
        (0, 2, 1),
    }


def test_sections_of_2d_networks_keep_z():
    found = drawn(spec.Simple(), flat=True)
    assert {o.order for o in found} == {(0, 1, 2), (0, 2, 1)}
    assert not any(o.flips[0] for o in found)


def test_the_node_leaves_the_random_state_of_the_process_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    TurnAround(spec.Simple(), voxel_size=CUBE).set_seeds(gp.BatchRequest(random_seed=1))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
