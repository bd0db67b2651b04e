"""Losses for a loop of one's own are those that a config names, and take what people have."""

import numpy as np
import pytest
import torch

import lsd
from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import (
    NEAREST,
    Affinities,
    Discriminative,
    Embeddings,
    Foreground,
    Head,
    Malis,
    Supervoxel,
)
from lsd.targets.target import compute, target_kind

FAR = (*NEAREST, (-2, 0, 0), (1, -2, 0))
OTHER = {"mode": "additive", "alpha": 0.8, "w_split": 0.9, "w_merge": 0.2, "threshold": 0.3}
# a head, and the module for offsets in the axes of the network
CASES = {
    "embeddings": (
        Head(target=Embeddings(dimensions=4, dd=0.9), loss=Discriminative(gamma=0.1, dv=0.1)),
        lambda offsets: lsd.EmbeddingLoss(gamma=0.1, dv=0.1, dd=0.9),
    ),
    "malis": (
        Head(target=Affinities(neighborhood=FAR), loss=Malis()),
        lsd.MalisLoss,
    ),
    "supervoxel": (
        Head(target=Foreground(), loss=Supervoxel(criterion="individual")),
        lambda offsets: lsd.SupervoxelLoss(criterion="individual"),
    ),
    "supervoxel of affinities": (
        Head(target=Affinities(neighborhood=FAR), loss=Supervoxel(**OTHER)),
        lambda offsets: lsd.SupervoxelLoss(offsets, **OTHER),
    ),
}


def case(dims):
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 5, (2, *(3,) * dims)), np.ones((1, *(3,) * dims), int))
    return labels.astype(np.uint64), rng.random(labels.shape) < 0.8


def of_a_head(head, logits, labels, known):
    """The loss of the head, from targets and weights as training makes them."""
    dims, losses = logits.ndim - 2, StageLosses({"a": head})
    made = [
        compute(head.target, sample, known=where, voxel_size=(8,) * dims)
        for sample, where in zip(labels, known, strict=True)
    ]
    targets, weights = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*made, strict=True))
    sample = LossSample(
        logits={"a": logits},
        targets={"a": targets},
        weights={"a": weights.float()},
        labels=torch.from_numpy(labels.view(np.int64))[:, None],
        known=torch.from_numpy(known)[:, None],
        voxel_size=(8.0,) * dims,
        activations=losses.activations,
        neighborhoods=losses.neighborhoods(dims),
    )
    return losses(sample, losses.totals(sample))["a"]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_module_is_the_kind_of_a_config(name, dims) -> None:
    """Value and gradient, masked, and the same for labels of numpy and torch, and in autocast."""
    (head, module), (labels, known) = CASES[name], case(dims)
    kind = target_kind(head.target)
    loss = module(kind.neighborhood(dims) or ())
    torch.manual_seed(0)
    shape = (2, kind.logit_channels(dims), *labels.shape[1:])
    logits = torch.randn(shape, requires_grad=True)
    wanted = of_a_head(head, logits, labels, known)
    [slope] = torch.autograd.grad(wanted, logits)
    assert slope.any()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        in_autocast = loss(logits, labels, known)
    alike = [
        loss(logits, labels, known),
        loss(logits, labels[:, None].astype(np.int16), known[:, None].astype(np.uint8)),
        loss(logits, torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(known)),
        in_autocast,
    ]
    for found in alike:
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(torch.autograd.grad(found, logits)[0], slope)
    assert loss(logits, labels).item() != pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_compiled_it_is_computed_as_it_is(name) -> None:
    """Of what numpy computes, torch.compile made code that could not be built."""
    head, module = CASES[name]
    loss, (labels, known) = module(NEAREST), case(3)
    channels = target_kind(head.target).logit_channels(3) if name == "embeddings" else 3
    net = torch.nn.Conv3d(1, 1 if name == "supervoxel" else channels, 1)
    seen: list[str] = []

    def built(graph, _):
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    def learned(image):
        return loss(net(image), labels, known)

    torch.manual_seed(0)
    image = torch.randn(2, 1, *labels.shape[1:])
    compiled = torch.compile(learned, backend=built)(image)
    torch.testing.assert_close(compiled, learned(image))
    [slope] = torch.autograd.grad(compiled, net.bias)
    assert slope.isfinite().all()
    assert not [name for name in seen if "numpy" in name or "sum" in name]


@pytest.mark.parametrize("name", CASES)
def test_it_is_a_module(name) -> None:
    loss = CASES[name][1](NEAREST)
    assert isinstance(loss, torch.nn.Module)
    assert not list(loss.parameters())
    assert "=" in repr(loss)
    with pytest.raises(ValueError, match=r"labels have shape \(4, 4\), logits \(1, 3, 4, 4\)"):
        loss(torch.zeros(1, 3, 4, 4), np.ones((4, 4), int))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda x, y: lsd.MalisLoss(NEAREST)(x, y),
            r"offset \(-1, 0, 0\) has 3 entries",
        ),
        (lambda x, y: lsd.MalisLoss([(0, 1)])(x, y), "3 channels, which do not fit the 1 offsets"),
        (lambda x, y: lsd.MalisLoss([(0, 0)]), "other than 0"),
        (lambda x, y: lsd.SupervoxelLoss()(x, y), "3 channels, the foreground has 1; give neighbo"),
        (lambda x, y: lsd.SupervoxelLoss(NEAREST)(x, y), "has 3 entries"),
        (lambda x, y: lsd.SupervoxelLoss(connectivity=26)(x[:, :1], y), "26 does not exist in 2D"),
        (lambda x, y: lsd.SupervoxelLoss(alpha=2), "alpha"),
        (lambda x, y: lsd.EmbeddingLoss()(x), "forward was called without labels"),
        (lambda x, y: lsd.EmbeddingLoss(dv=3, dd=1.5), "dv is 3 and dd is 1.5; dv must be below"),
        (lambda x, y: lsd.EmbeddingLoss(delta=1), "There are: alpha, beta, gamma, dv, dd"),
        (lambda x, y: lsd.SupervoxelLoss(criterion="some"), "criterion"),
        (
            lambda x, y: lsd.SupervoxelLoss([(0, 1)])(x[:, :1] * torch.nan, y),
            r"logits are nan in sample 0",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call(torch.zeros(1, 3, 4, 4), np.ones((1, 4, 4), int))


def test_heads_of_embeddings_have_no_loss_of_affinities() -> None:
    for loss in (Malis(), Supervoxel()):
        with pytest.raises(ValueError, match=r"'embeddings' has others; .* Discriminative\(\)"):
            StageLosses({"a": Head(target=Embeddings(), loss=loss)})
