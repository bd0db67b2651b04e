"""Affinities of embeddings by their definition, and the target that they belong to."""

import itertools

import numpy as np
import pytest
import torch

from lsd.arrays.turning import Turn
from lsd.network import sizes
from lsd.prediction.augment import average, opinion_margin, turns_of
from lsd.spec import (
    NEAREST,
    Affinities,
    Discriminative,
    Embeddings,
    Head,
    Mse,
    Stage,
    UNet,
    Variant,
)
from lsd.targets.affinities import affinities
from lsd.targets.embeddings import metric_affinities
from lsd.targets.target import compute, target_kind

LONG = (*NEAREST, (-3, 0, 0), (2, -3, 1), (-2, 3, 1))


def by_definition(embeddings, neighborhood, dd):
    """Voxel by voxel: [(2 dd - |e(v) - e(v + k)|) / (2 dd)]_+^2, 0 where v + k is outside."""
    batch, _, *shape = embeddings.shape
    values = np.zeros((batch, len(neighborhood), *shape))
    for b, c in itertools.product(range(batch), range(len(neighborhood))):
        for voxel in np.ndindex(*shape):
            other = tuple(np.add(voxel, neighborhood[c]))
            if all(0 <= i < n for i, n in zip(other, shape, strict=True)):
                apart = np.abs(embeddings[b, :, *voxel] - embeddings[b, :, *other]).sum()
                values[b, c, *voxel] = max(1 - apart / (2 * dd), 0) ** 2
    return values


@pytest.mark.parametrize("dd", [1.5, 0.4])
@pytest.mark.parametrize(
    ("shape", "neighborhood"), [((4, 5, 6), LONG), ((6, 7), ((-1, 0), (0, -1), (2, -3), (0, 9)))]
)
def test_equals_the_definition(shape, neighborhood, dd) -> None:
    embeddings = np.random.default_rng(0).normal(0, 0.3, (2, 4, *shape))
    found = metric_affinities(torch.from_numpy(embeddings), neighborhood, dd=dd)
    np.testing.assert_allclose(found, by_definition(embeddings, neighborhood, dd), atol=1e-12)


def test_gradient_is_the_slope() -> None:
    embeddings = torch.randn(1, 3, 4, 5, dtype=torch.float64, generator=torch.manual_seed(0))
    assert torch.autograd.gradcheck(
        lambda e: metric_affinities(e, [(-1, 0), (1, 2)]), (embeddings.requires_grad_(),)
    )


@pytest.mark.parametrize(
    ("neighborhood", "says"),
    [
        ([(0, -1)], r"offset \(0, -1\) has 2 entries, embeddings have 3 spatial axes"),
        ([(0, 0, 0)], "other than 0"),
        ([(0, 0, 1), (0, 0, 1)], "twice"),
        ((0, 0, 1), "a neighborhood is a list of offsets"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(neighborhood, says) -> None:
    with pytest.raises(ValueError, match=says):
        metric_affinities(torch.zeros(1, 2, 3, 4, 5), neighborhood)


@pytest.mark.parametrize(
    ("embeddings", "says"),
    [
        (torch.ones(1, 2, 4, 4, dtype=torch.int64), r"floats, got Tensor torch\.int64"),
        (np.ones((1, 2, 4, 4)), "floats, got ndarray float64"),
    ],
)
def test_embeddings_are_floats_of_torch(embeddings, says) -> None:
    """Affinities of whole numbers were cut to 0 and 1."""
    with pytest.raises(ValueError, match=says):
        metric_affinities(embeddings, [(0, -1)])


def test_a_distance_above_0_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"^dd: input should be greater than 0, got 0"):
        metric_affinities(torch.zeros(1, 2, 3, 4), [(0, 1)], dd=0)


@pytest.mark.parametrize("dims", [2, 3])
def test_what_the_target_says(dims) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (5, 6, 7)[-dims:])
    known = labels != 2
    target = Embeddings(neighborhood=LONG, dimensions=7)
    kind, offsets = target_kind(target), target_kind(Affinities(neighborhood=LONG))
    assert kind.logit_channels(dims) == 7
    assert kind.channels(dims) == offsets.channels(dims)
    assert kind.neighborhood(dims) == kind.partners(dims) == offsets.neighborhood(dims)
    assert kind.attributes(dims, axes=3) == offsets.attributes(dims, axes=3)
    assert kind.lowest
    assert (kind.storage.low, kind.storage.high) == (0, 1)
    found = compute(target, labels, known=known, voxel_size=(8,) * dims)
    for ours, theirs in zip(found, affinities(labels, kind.neighborhood(dims), mask=known),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)
    values = kind.activation(torch.randn(2, 7, *labels.shape))
    assert values.shape == (2, *found[0].shape)
    assert 0 <= values.min() <= values.max() <= 1


def test_offsets_beyond_what_is_learned_together_are_told() -> None:
    kind = target_kind(Embeddings(neighborhood=((-1, 0, 0), (0, 0, -12))))
    assert not kind.remarks((13, 13, 13), (8,) * 3)
    [remark] = kind.remarks((13, 13, 12), (8,) * 3)
    assert "reaches (1, 0, 12) voxels, and outputs of training are (13, 13, 12)" in remark


def test_specs() -> None:
    target = Embeddings(dimensions=24, neighborhood=(-1, 0))
    assert target.neighborhood == ((-1, 0),)
    assert Embeddings.model_validate_json(target.model_dump_json()) == target
    assert list(target.faults(3)) == ["neighborhood: offset (-1, 0) is of 2 axes, the network of "
                                      "3; give z y x"]  # fmt: skip
    # what lies in checkpoints and fingerprints of before
    assert Affinities().model_dump_json() == (
        '{"kind":"affinities","neighborhood":[[-1,0,0],[0,-1,0],[0,0,-1]]}'
    )
    for wrong in ({"dimensions": 0}, {"dd": 0}, {"neighborhood": ((0, 0, 0),)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Embeddings(**wrong)


@pytest.mark.parametrize("mode", ["flips", "transposes"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_network_that_is_right_stays_right_when_it_is_turned(dims, mode) -> None:
    """Embeddings are one-hot, so affinities are those of labels; what is kept has both ends
    inside."""
    rng, kind = np.random.default_rng(1), target_kind(Embeddings(neighborhood=LONG))
    labels = np.kron(rng.integers(1, 6, (4,) * dims), np.ones((4,) * dims, int))
    raw = torch.from_numpy(labels)[None, None]

    def forward(turned):
        places = torch.nn.functional.one_hot(turned[:, 0], 6).movedim(-1, 1)
        return {"head": kind.activation(places * 2.0)}

    for turns in (turns_of(mode, (1,) * dims), (Turn.none(dims),)):
        opinions = [opinion for turn in turns for opinion in kind.turned(turn)]
        below, above = opinion_margin(opinions, dims, partners=kind.partners(dims))
        kept = tuple(slice(b, 16 - a) for b, a in zip(below, above, strict=True))
        found = average(forward, raw, targets={"head": kind}, turns=turns, kept=kept)["head"]
        truth, known = affinities(labels, kind.neighborhood(dims))
        assert known[:, *kept].all()
        np.testing.assert_allclose(found[0], truth[:, *kept], atol=1e-6)


def test_stages_before_compute_what_affinities_need() -> None:
    """Where a stage reads embeddings, the one before gives a margin of the farthest offset."""
    embeddings = Head(
        target=Embeddings(neighborhood=((-1, 0, 0), (0, 3, 0))), loss=Discriminative()
    )
    trunk = UNet(features=2, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))

    def shapes(head):
        second = Stage(name="b", reads=("raw", "h"), heads={"affs": Head(target=Affinities())})
        variant = Variant(stages=(Stage(name="a", heads={"h": head}), second))
        return sizes.stage_shapes(variant, trunk, (18, 18, 18))["a"]

    plain, wider = shapes(Head(target=Affinities(), loss=Mse())), shapes(embeddings)
    assert sizes.output_shape(trunk, plain)[0] >= 18
    output = sizes.output_shape(trunk, wider)
    assert output[0] >= 18 + 2 * 1
    assert output[1] >= 18 + 2 * 3
    assert wider[2] == plain[2]
