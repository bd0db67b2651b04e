"""A kind that code does not know is an error wherever it is met: nothing is made of it by falling
through."""

import json
from typing import Any, ClassVar, Literal

import gunpowder as gp
import numpy as np
import pytest
import torch
from format_writers import WRITERS
from funlib.geometry import Roi
from pydantic import ValidationError

from config.config import config
from lsd import spec
from lsd.arrays.contingency import Contingency
from lsd.arrays.skeletons import Skeletons
from lsd.batches.augmentations.augmentation import augmentation_kind
from lsd.batches.keys import KNOWN, RAW, At, Provider, array
from lsd.batches.keys import LABELS as LABELS_KEY
from lsd.batches.sources.source import EVERYWHERE
from lsd.evaluation.along_skeletons.at_nodes import AtNodes
from lsd.evaluation.metric import scoring
from lsd.evaluation.partition import compare
from lsd.evaluation.score import Score
from lsd.losses.loss import HeadLoss, LossSample
from lsd.losses.stage import StageLosses
from lsd.network import cost, precision
from lsd.network.cascade import Cascade
from lsd.network.layers import activate
from lsd.network.trunks.trunk import architecture
from lsd.network.trunks.unet import UNetTrunk
from lsd.network.walk import Walk
from lsd.prediction import augment
from lsd.segmentation.decode import decode
from lsd.segmentation.fragments import fragments
from lsd.segmentation.run import segment
from lsd.spec.kinds import behaviour
from lsd.targets import target, windows
from lsd.targets.activation import Activation, Invertible
from lsd.targets.descriptors import descriptors
from lsd.training.optimiser import factor
from lsd.volumes import containers

REFUSED = (AssertionError, ValueError, KeyError)


class Invented(spec.Spec):
    """Looks like any kind of anything."""

    kind: Literal["invented"] = "invented"
    noun: ClassVar[str] = "kind"
    behaviour: ClassVar[str] = "nowhere:Invented"
    dims: int = 3
    features_out: int | None = None
    factors: tuple[tuple[int, ...], ...] = ((2, 2, 2),)
    widths: tuple[int, ...] = (2, 2)
    subsample: int = 8


INVENTED: Any = Invented()
LABELS = np.ones((4, 4, 4), np.uint64)
CUBE = Roi((0,) * 3, (8,) * 3)
STAGE = spec.Stage.model_construct(
    name="main", reads=("raw",), heads={"a": spec.Head.model_construct(target=INVENTED)}
)
VARIANT = spec.Variant.model_construct(stages=(STAGE,))
AFFS = np.full((3, 4, 4, 4), 0.9, np.float32)
NEAREST = spec.NEAREST
ONES = {"a": torch.ones(1, 1, 2, 2, 2)}


def settings(**fields):
    return spec.Segment.model_construct(**{**spec.Segment().__dict__, **fields})


PLACES = {
    "channels": lambda: target.channels(INVENTED, 3),
    "compute": lambda: target.compute(INVENTED, LABELS, voxel_size=(8, 8, 8)),
    "turns": lambda: augment.turns_of("invented", (1, 1, 1)),
    "channels that are read": lambda: cost.parameters(config.network.trunk, VARIANT),
    "a head": lambda: Cascade(VARIANT, config.network.trunk),
    "loss": lambda: StageLosses(
        {"a": spec.Head.model_construct(target=spec.Affinities(), loss=INVENTED)}
    ),
    "metric": lambda: scoring(spec.Evaluate.model_construct(metric=INVENTED, connected=False)),
    "sizes": lambda: architecture(INVENTED),
    "walk": lambda: cost.walk(INVENTED, config.variant.stages[0], 1, (64, 64, 64)),
    "trunk": lambda: Cascade(config.variant, INVENTED),
    "activation": lambda: activate("invented"),
    "upsample": lambda: UNetTrunk(
        spec.UNet.model_construct(**{**spec.UNet().__dict__, "upsample": "invented"})
    ).module(1),
    "norm": lambda: UNetTrunk(
        spec.UNet.model_construct(**{**spec.UNet().__dict__, "norm": "invented"})
    ).module(1),
    "precision": lambda: precision.autocast("invented", torch.device("cpu")),
    "window": lambda: windows.radius(3, "invented"),
    "descriptors": lambda: descriptors(LABELS, voxel_size=(8, 8, 8), sigma=8, mode="invented"),
    "augmentation": lambda: augmentation_kind(INVENTED),
    "schedule": lambda: factor(
        5,
        spec.Train.model_construct(
            iterations=9, schedule=spec.Schedule.model_construct(kind="invented", warmup=0, final=0)
        ),
    ),
    "decoder": lambda: decode(AFFS, NEAREST, settings(decoder="invented")),
    "segment": lambda: segment(
        spec.Config.model_construct(**{**config.__dict__, "segment": settings(decoder="invented")})
    ),
    "boundaries": lambda: fragments(AFFS, boundaries="invented"),
    "scoring": lambda: decode(AFFS, NEAREST, settings(scoring="invented")),
    "background": lambda: compare(LABELS, LABELS, background="invented"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_made_up_kind_is_refused(place) -> None:
    with pytest.raises(REFUSED, match=r"(?i)invented"):
        PLACES[place]()


def kinds(family) -> list:
    """The kinds of this package in a family."""
    return [kind for kind in family.kinds().values() if kind.__module__.startswith("lsd.")]


EXAMPLES = {"Mask": {"array": "mito"}, "Semantic": {"classes": (1, 3)}}


@pytest.mark.parametrize("kind", kinds(spec.Target), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dims", [2, 3])
def test_every_target_has_its_answers(kind, dims) -> None:
    """Those that the spec lists, so that a new one is missed here before it is missed in a run."""
    made, size = kind(**EXAMPLES.get(kind.__name__, {})), (8.0,) * dims
    labels, does = LABELS[0] if dims == 2 else LABELS, target.target_kind(made)
    assert isinstance(does, target.TargetKind)
    assert not list(made.faults(dims))
    count = target.channels(made, dims)
    assert does.logit_channels(dims) > 0
    assert all(len(offset) == dims for offset in does.partners(dims))
    arrays = dict.fromkeys(does.arrays(), labels)
    values, known = target.compute(made, labels, arrays=arrays, voxel_size=size, threads=1)
    assert len(values) == len(known) == count
    assert np.isin(values, [0, 1]).all() or not does.binary
    assert len(does.context(size)) == len(does.axis_keys(dims)) == dims
    assert all(isinstance(remark, str) for remark in does.remarks((9,) * dims, size))
    for turn in augment.turns_of("transposes", (1,) * dims):
        assert len(does.turned(turn)) == count, "each channel has an opinion, or None"
    assert all(does.turned(augment.turns_of("none", (1,) * dims)[0])), "of raw as it is, on each"
    _check_values(does, values, dims)
    offsets = does.neighborhood(dims)
    assert does.lowest == (offsets is not None)
    assert offsets is None or len(offsets) == count
    around = does.occupancy_offsets(dims)
    assert around is None or (offsets is None and len(around) == count)
    recorded = {"neighborhood": offsets, "occupancy_offsets": around}
    assert set(does.attributes(dims, axes=3)) == {name for name in recorded if recorded[name]}


def _check_values(does, values, dims) -> None:
    """Targets and what networks say lie in one range, and on disk in 256 steps of it."""
    torch.manual_seed(0)
    logits = torch.randn(2, does.logit_channels(dims), *(5,) * dims) * 9
    before, said = logits.clone(), does.activation(logits)
    assert said.shape == (2, does.channels(dims), *(5,) * dims)
    assert torch.equal(logits, before), "logits stay as they are"
    assert torch.equal(said, does.activation.in_place(before))
    low, high = does.storage.low, does.storage.high
    for within in (torch.from_numpy(values), said):
        assert low <= within.min() <= within.max() <= high
    if isinstance(does.activation, Activation):
        _check_inverse(does.activation)
    if isinstance(does.activation, Invertible):
        again = does.activation(does.activation.inverse(said))
        np.testing.assert_allclose(again, said, atol=1e-5)
    assert does.storage.to_uint8(torch.tensor([low, high])).tolist() == [0, 255]
    read = does.storage.rounded(said.clone())
    assert (read - said).abs().max() <= (high - low) / 509


def _check_inverse(activation) -> None:
    logits = torch.tensor([-40.0, -1.0, 0.0, 1.0, 40.0])
    said = activation(logits)
    np.testing.assert_allclose(activation.inverse(said)[1:4], logits[1:4], atol=1e-4)
    assert activation.inverse(said).isfinite().all()


@pytest.mark.parametrize("kind", kinds(spec.Trunk))
def test_every_trunk_has_its_answers(kind) -> None:
    trunk = architecture(kind())
    extent, training = trunk.extent(), trunk.extent(training=True)
    shape = extent.smallest_input((1,) * trunk.spec.dims)
    walk = Walk(2, shape)
    trunk.walk(walk)
    with torch.device("meta"):
        module = trunk.module(2)
    logits = module(torch.empty(1, 2, *shape, device="meta"))
    assert logits.shape == (1, walk.channels, *walk.shape)
    assert walk.channels == trunk.features_out
    assert walk.shape == tuple(shape - training.shrink)
    assert walk.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert walk.macs > 0
    assert walk.peak > 0
    assert trunk.check_bf16(shape * 8) is None


@pytest.mark.parametrize("kind", kinds(spec.Format))
def test_every_format_has_its_answers(kind, tmp_path) -> None:
    [form] = [form for form in containers.formats() if type(form.spec) is kind]
    write = WRITERS[form.spec.kind]
    # a folder needs no ending
    path = tmp_path / f"a{[*form.suffixes, ''][0]}"
    assert not form.claims(path), "what is not there is of no format"
    write(path, np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    assert containers.format_of(path) is form
    [name] = form.names(path)
    assert form.find(path, name) in (name, f"{name}/0".lstrip("/"))
    assert form.find(path, "none") is None
    array = form.open(path, form.find(path, name))
    assert (array.shape, array.dtype) == ((3, 4, 5), np.uint8)
    assert array.read((slice(1, 2), slice(0, 4), slice(2, 4)))[0, 3, 1] == 38
    everything = (slice(None),) * 3
    before, stated = list(array.identity(everything)), array.stated()
    assert list(array.identity(everything)) == before
    # HDF5 writes no file that is open
    del array
    write(path, np.arange(60, 120, dtype=np.uint8).reshape(3, 4, 5))
    again = form.open(path, form.find(path, name))
    assert list(again.identity(everything)) != before
    assert again.stated() == stated


@pytest.mark.parametrize("kind", kinds(spec.Augmentation), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("flat", [True, False], ids=["2d", "3d"])
def test_every_augmentation_has_its_answers(kind, flat) -> None:
    """Its node gives what is asked for, and the same again from the same seed."""
    does, shape = augmentation_kind(kind()), (1 if flat else 6, 12, 12)
    assert does.moves == does.joins([augmentation_kind(spec.Simple())])
    assert not does.joins([])
    (node,) = does.nodes([does], voxel_size=(8.0, 8.0, 8.0), flat=flat)
    pipeline = Everywhere() + node
    pipeline.setup()
    wanted = dict.fromkeys((RAW, LABELS_KEY, KNOWN), At(Roi((5, 5, 5), shape)))
    first, again = (
        pipeline.request_batch(gp.BatchRequest(wanted, random_seed=3)) for _ in range(2)
    )
    for key, dtype in {RAW: np.float32, LABELS_KEY: np.uint64, KNOWN: np.bool_}.items():
        assert first[key].data.shape == shape
        assert first[key].data.dtype == dtype
        np.testing.assert_array_equal(first[key].data, again[key].data)
    assert first[RAW].data.min() >= 0
    assert first[RAW].data.max() <= 1


class Everywhere(Provider):
    """A volume without end: known labels, and raw between 0 and 1."""

    def setup(self) -> None:
        for key in (RAW, LABELS_KEY, KNOWN):
            self.provides(key, At(EVERYWHERE))

    def provide(self, request) -> gp.Batch:
        batch = gp.Batch()
        for key, wanted in request.items():
            z, y, x = np.ogrid[wanted.roi.to_slices()]
            labels = ((z // 3 + y // 4 + x // 5) % 4).astype(np.uint64)
            data = {RAW: labels.astype(np.float32) / 3, KNOWN: np.ones(labels.shape, bool)}
            batch[key] = array(data.get(key, labels), wanted.roi)
        return batch


@pytest.mark.parametrize("kind", kinds(spec.Loss), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("spatial", [(4, 5), (3, 4, 5)])
def test_every_loss_has_its_answers(kind, spatial) -> None:
    """A scalar with a graph, in 2D and 3D, of a target that it can learn."""
    torch.manual_seed(0)
    loss, dims = behaviour(kind()), len(spatial)
    assert isinstance(loss, HeadLoss)
    targets = (spec.Affinities(), spec.Embeddings(), spec.Semantic(classes=(1, 2)))
    made = map(target.target_kind, targets)
    learned = next(does for does in made if not loss.misfit(does))
    shape = (2, learned.channels(dims), *spatial)
    logits = torch.randn(2, learned.logit_channels(dims), *spatial, requires_grad=True)
    sample = LossSample(
        logits={"a": logits},
        targets={"a": torch.randint(2, shape).float()},
        weights={"a": torch.randint(2, shape).float()},
        labels=torch.randint(5, (2, 1, *spatial)),
        known=torch.ones((2, 1, *spatial), dtype=torch.bool),
        voxel_size=(8.0,) * len(spatial),
        activations={"a": learned.activation},
        neighborhoods={"a": learned.neighborhood(dims) or ()},
        head="a",
    )
    value = loss(sample, loss.totals(sample))
    assert value.shape == ()
    assert torch.autograd.grad(value, logits, retain_graph=True)[0].any()


# a line through each of two fragments that nothing joins
AT_NODES = AtNodes.unjoined(
    Skeletons(range(4), [1, 1, 2, 2], np.eye(4, 3), [(0, 1), (2, 3)]),
    np.array([1, 1, 2, 2], np.uint64),
)


@pytest.mark.parametrize("kind", kinds(spec.Metric), ids=lambda kind: kind.__name__)
def test_every_metric_has_its_answers(kind) -> None:
    """A perfect segmentation has objective 0; tables, figures and JSON have what they show."""
    perfect = {"labels": Contingency.of(LABELS, LABELS), "skeletons": AT_NODES}
    score = scoring(spec.Evaluate(metric=kind()))(perfect[kind.against])
    assert isinstance(score, Score)
    assert score.objective == 0
    assert score.row()
    assert len(score.swept()) == len(score.labels())
    assert json.loads(json.dumps(score.as_dict())) == score.as_dict()
    assert score.pool([score]).objective == 0


@pytest.mark.parametrize(
    "field", ["target", "trunk", "augment", "loss", "decoder", "metric", "weighting", "mode"]
)
def test_a_made_up_kind_is_no_value_of_a_spec(field) -> None:
    made = {
        "target": lambda: spec.Head(target=INVENTED),
        "trunk": lambda: spec.Network(trunk=INVENTED, train_shape=(9, 9, 9)),
        "augment": lambda: spec.Dataset(augment=INVENTED),
        "loss": lambda: spec.Loss(kind="invented"),
        "decoder": lambda: spec.Segment(decoder="invented"),
        "metric": lambda: spec.Evaluate(metric="invented"),
        "weighting": lambda: STAGE.derive(weighting="invented"),
        "mode": lambda: spec.Train(mode="invented"),
    }
    with pytest.raises(ValidationError, match="invented"):
        made[field]()
