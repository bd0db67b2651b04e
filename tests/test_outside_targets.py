"""Targets that are defined outside of lsd: trained with workers, gone on with, predicted from the
checkpoint here and by workers."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from kinds_outside.targets import Contacts, Distance, DistanceTarget, Flow
from outside_run import make_config

from lsd.arrays.turning import Turn
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.augment import average, opinion_margin, turns_of
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.segmentation.predicted import open_heads
from lsd.segmentation.run import segment
from lsd.spec import Head, Stage, Variant, Workers
from lsd.spec.kinds import import_kinds
from lsd.targets.target import Sample, compute, target_kind
from lsd.training.loop import train
from lsd.training.validation import predict_region
from lsd.volumes.array import open_array
from lsd.volumes.create import has_array
from lsd.volumes.volume import open_volume

IMPORTS = ("kinds_outside.targets",)
import_kinds(IMPORTS)
# the second stage reads what the first says, as it would lie on disk
VARIANT = Variant(
    stages=(
        Stage(
            name="shape",
            heads={"distance": Head(target=Distance()), "flow": Head(target=Flow())},
        ),
        Stage(
            name="affs",
            reads=("raw", "distance", "flow"),
            heads={"affs": Head(target=Contacts(radius=2))},
        ),
    )
)
HEADS = ("distance", "flow", "affs")


@pytest.fixture(scope="module", params=[(2, 0), (3, 2)], ids=["2d", "3d"])
def trained(request, tmp_path_factory):
    """A run of both stages, its batches made by so many workers, and its last checkpoint."""
    (dims, workers), folder = request.param, tmp_path_factory.mktemp("outside")
    config = make_config(folder, VARIANT, dims=dims, imports=IMPORTS, heads=HEADS, workers=workers)
    return config, train(config, progress=False)


@pytest.mark.slow
def test_resumed_equals_uninterrupted(trained) -> None:
    config, path = trained
    whole = checkpoint.load(path.parents[2] / "shape/checkpoints" / path.name)["model"]
    first = config.derive(
        name="parts",
        variant={"stages": VARIANT.stages[:1]},
        predict={"heads": ()},
        train={"workers": 0},
    )
    train(first.derive(train={"iterations": 1}), progress=False)
    parts = checkpoint.load(train(first, progress=False))["model"]
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.slow
def test_predicted_here_and_by_workers(trained) -> None:
    config, path = trained
    dims = config.network.dims
    [container] = predict(config, progress=False)
    ours = {head: _read(container, head) for head in HEADS}
    values = _float_values(config, path)
    for head, (low, high) in {"distance": (0, 1), "flow": (-1, 1), "affs": (0, 1)}.items():
        stored, attributes = ours[head]
        record = attributes["prediction"]
        assert record["range"] == [0, 255]
        assert record["values"] == [low, high]
        read = low + stored.astype(float) * (high - low) / 255
        assert len(read) == len(values[head])
        np.testing.assert_allclose(read, values[head], atol=(high - low) / 509)
    assert ours["flow"][0].shape[0] == dims
    assert ours["affs"][1]["neighborhood"][0] == [*(0,) * (3 - dims), -1, *(0,) * (dims - 1)]
    assert "neighborhood" not in ours["distance"][1]
    crew = config.derive(name="crew", predict={"checkpoint": str(path)})
    [container] = predict(crew, workers=Workers(count=2), progress=False)
    for head in HEADS:
        np.testing.assert_array_equal(_read(container, head)[0], ours[head][0])


def _read(container, head):
    array = open_array(container, head)
    return array.read(array.roi), dict(array.source.handle.attrs)


def _float_values(config, path):
    """What the network says of the whole volume, before it is rounded."""
    restored = from_checkpoint(path)
    predictor = Predictor(restored.cascade, restored.config.network, settings=config.predict)
    volume = open_volume(config.dataset.test[0], name="boxes", data_root=path.parent)
    return predict_region(predictor, volume, volume.roi)


def test_affinities_of_another_kind_are_segmented(trained) -> None:
    config, _ = trained
    [container] = predict(config, progress=False)
    affs = open_heads(config, "boxes")["affs"]
    offsets = affs.channels.neighborhood
    assert len(offsets) == (5 if config.network.dims == 2 else 10)
    assert affs.array.channels == len(offsets)
    segment(config)
    with pytest.raises(ValueError, match=r"names 'flow'; heads with affinities: affs"):
        open_heads(config.derive(segment={"affinities": "flow"}), "boxes")
    assert has_array(container, "affs")


def test_a_process_that_knows_no_such_kind_refuses_the_checkpoint(trained) -> None:
    _, path = trained
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from lsd.network.checkpoints.restore import from_checkpoint\n"
        "from lsd.spec.kinds import import_kinds\n"
        f"try:\n    from_checkpoint({str(path)!r})\n"
        "except ValueError as error:\n    print(error)\n"
        f"import_kinds({IMPORTS!r})\n"
        f"print(from_checkpoint({str(path)!r}).stage)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused, stage = done.stdout.strip().rsplit("\n", 1)
    assert "module 'kinds_outside.targets' is not imported" in refused
    assert stage == "affs"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("target", [Distance(), Flow(), Contacts(radius=2)], ids=lambda t: t.kind)
def test_a_network_that_is_right_stays_right_when_it_is_turned(target, dims) -> None:
    """As the mean over all turns, and as any of them."""
    rng, kind, size = np.random.default_rng(0), target_kind(target), (8.0,) * dims
    labels = np.kron(rng.integers(0, 4, (4,) * dims), np.ones((5,) * dims, int))
    raw = torch.from_numpy(labels)[None, None]

    def forward(turned):
        values, _ = compute(target, turned[0, 0].numpy(), voxel_size=size)
        return {"head": torch.from_numpy(values)[None]}

    for turns in (turns_of("transposes", (1,) * dims), (Turn.none(dims), _quarter(dims))):
        below, above = opinion_margin([o for turn in turns for o in kind.turned(turn)], dims)
        kept = tuple(slice(b + 1, 20 - 1 - a) for b, a in zip(below, above, strict=True))
        got = average(forward, raw, targets={"head": kind}, turns=turns, kept=kept)["head"]
        torch.testing.assert_close(got, forward(raw)["head"][:, :, *kept], rtol=0, atol=1e-5)


def _quarter(dims) -> Turn:
    return Turn((*range(dims - 2), dims - 1, dims - 2), (True, *(False,) * (dims - 1)))


def test_what_lies_on_disk_has_the_range_of_the_activation() -> None:
    kind = target_kind(Flow())
    logits = torch.linspace(-4, 4, 1001)
    values = kind.activation(logits)
    assert kind.activation.inverse(values).allclose(logits, atol=1e-3)
    stored = kind.storage.to_uint8(values)
    assert (stored.min(), stored.max()) == (0, 255)
    read = kind.storage.rounded(values.clone())
    torch.testing.assert_close(read, -1 + stored.float() * 2 / 255, rtol=0, atol=1e-6)
    assert (read - values).abs().max() <= 1 / 255 + 1e-6
    assert np.array_equal(kind.storage.as_grey(np.array([-1, 0, 1])), np.float32([0, 0.5, 1]))


class Careless(DistanceTarget):
    """Gives what a target must not give."""

    def compute(self, sample: Sample):
        return sample.labels[np.newaxis], sample.inside


def test_values_of_a_wrong_kind_are_refused_in_words(monkeypatch) -> None:
    monkeypatch.setattr("lsd.targets.target.behaviour", Careless)
    labels = np.ones((4, 5, 6), np.uint64)
    says = r"target 'distance' \(.*line \d+\) gives values \(1, 4, 5, 6\) uint64"
    with pytest.raises(ValueError, match=says):
        compute(Distance(), labels, voxel_size=(8, 8, 8))


class Unscaled(DistanceTarget):
    """Forgets that values lie in 0..1."""

    def compute(self, sample: Sample):
        return (sample.labels[np.newaxis] * 3).astype(np.float32), sample.inside[np.newaxis]


def test_values_beyond_the_activation_are_refused_in_words(monkeypatch) -> None:
    monkeypatch.setattr("lsd.targets.target.behaviour", Unscaled)
    labels = np.ones((4, 5, 6), np.uint64)
    says = r"'distance' .* gives values in 3\.\.3 where .* Sigmoid reaches 0\.\.1; scale"
    with pytest.raises(ValueError, match=says):
        compute(Distance(), labels, voxel_size=(8, 8, 8))
    # where nothing is known, values are no matter
    compute(Distance(), labels, known=np.zeros_like(labels), voxel_size=(8, 8, 8))


def test_a_target_goes_through_json_and_changes(trained) -> None:
    config, _ = trained
    assert type(config).model_validate_json(config.model_dump_json()) == config
    head = VARIANT.stages[0].heads["distance"]
    assert head.derive(target={"kind": "flow", "reach": 9}).target == Flow(reach=9)
    with pytest.raises(ValueError, match="reach"):
        Distance(reach=-1)
