"""A kind that code does not know is an error wherever it is met: nothing is made of it by falling
through."""

from types import SimpleNamespace
from typing import Any, Literal, get_args

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from pydantic import ValidationError

from config.config import config
from lsd import spec
from lsd.batches.augmentations import warp
from lsd.batches.pipeline import _node
from lsd.evaluation.partition import compare
from lsd.losses.tasks import DENSE, dense, total
from lsd.network import cost, levels, precision
from lsd.network.cascade import Cascade
from lsd.network.layers import activate
from lsd.network.unet import UNetTrunk
from lsd.prediction import augment
from lsd.prediction.record import attributes
from lsd.segmentation.decode import decode
from lsd.segmentation.fragments import fragments
from lsd.segmentation.run import segment
from lsd.targets import target, windows
from lsd.targets.descriptors import descriptors
from lsd.training.optimiser import factor

REFUSED = (AssertionError, ValueError, KeyError)


class Invented(spec.Spec):
    """Looks like any kind of anything."""

    kind: Literal["invented"] = "invented"
    dims: int = 3
    features_out: int | None = None
    factors: tuple[tuple[int, ...], ...] = ((2, 2, 2),)
    widths: tuple[int, ...] = (2, 2)
    subsample: int = 8


INVENTED: Any = Invented()
LABELS = np.ones((4, 4, 4), np.uint64)
CUBE = Roi((0,) * 3, (8,) * 3)
TURN = augment.turns_of("flips", (1, 1, 1))[-1]
STAGE = spec.Stage.model_construct(
    name="main", reads=("raw",), heads={"a": spec.Head.model_construct(target=INVENTED)}
)
VARIANT = spec.Variant.model_construct(stages=(STAGE,))
AFFS = np.full((3, 4, 4, 4), 0.9, np.float32)
NEAREST = spec.NEAREST
LOSS = spec.Loss.model_construct(kind="invented", weight=1.0, balance=False)
ONES = {"a": torch.ones(1, 1, 2, 2, 2)}
NOTHING = dict.fromkeys(("sha256", "stage", "iteration", "normalisation"), "")
PLACE = SimpleNamespace(
    grid=SimpleNamespace(
        block=lambda n: SimpleNamespace(read=Roi((0,), (1,))), roi=Roi((0,), (1,)), write_shape=(1,)
    ),
    turns=(),
)
RESTORED = SimpleNamespace(
    config=config, cascade=SimpleNamespace(variant=config.variant), **NOTHING
)
VOLUME = SimpleNamespace(
    name="", raw=SimpleNamespace(name=""), roi=Roi((0,), (1,)), spec=spec.Volume(path="a")
)


def settings(**fields):
    return spec.Segment.model_construct(**{**spec.Segment().__dict__, **fields})


PLACES = {
    "channels": lambda: target.channels(INVENTED, 3),
    "context": lambda: target.context(INVENTED, (8, 8, 8)),
    "compute": lambda: target.compute(INVENTED, LABELS, voxel_size=(8, 8, 8)),
    "opinions": lambda: augment.opinions(INVENTED, TURN),
    "record": lambda: attributes(
        INVENTED, VOLUME, plan=PLACE, settings=spec.Predict(), restored=RESTORED
    ),
    "turns": lambda: augment.turns_of("invented", (1, 1, 1)),
    "channels that are read": lambda: cost.parameters(config.network.trunk, VARIANT),
    "a head": lambda: Cascade(VARIANT, config.network.trunk),
    "dense": lambda: dense(LOSS),
    "total": lambda: total(ONES, ONES, weights=ONES, losses={"a": LOSS}),
    "kernels": lambda: levels.kernels(INVENTED),
    "fold": lambda: levels.fold(INVENTED),
    "is_padded": lambda: levels.is_padded(INVENTED),
    "extent": lambda: levels.extent(INVENTED),
    "widths": lambda: cost.widths(INVENTED),
    "walk": lambda: cost.walk(INVENTED, config.variant.stages[0], 1, (64, 64, 64)),
    "trunk": lambda: Cascade(config.variant, INVENTED),
    "activation": lambda: activate("invented"),
    "upsample": lambda: UNetTrunk(
        spec.UNet.model_construct(**{**spec.UNet().__dict__, "upsample": "invented"}), in_channels=1
    ),
    "norm": lambda: UNetTrunk(
        spec.UNet.model_construct(**{**spec.UNet().__dict__, "norm": "invented"}), in_channels=1
    ),
    "precision": lambda: precision.autocast("invented", torch.device("cpu")),
    "window": lambda: windows.radius(3, "invented"),
    "descriptors": lambda: descriptors(LABELS, voxel_size=(8, 8, 8), sigma=8, mode="invented"),
    "augmentation": lambda: _node(INVENTED, (8, 8, 8), flat=False),
    "geometry": lambda: warp.draw(
        (spec.Elastic(), INVENTED),
        Roi((0,) * 3, (8,) * 3),
        np.random.default_rng(0),
        voxel_size=(8,) * 3,
    ),
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


EXAMPLES = {"mask": {"array": "mito"}}


@pytest.mark.parametrize("kind", kinds(spec.Target))
@pytest.mark.parametrize("dims", [2, 3])
def test_every_target_has_its_answers(kind, dims) -> None:
    """Those that the spec lists, so that a new one is missed here before it is missed in a run."""
    name = get_args(kind.model_fields["kind"].annotation)[0]
    made, labels = kind(**EXAMPLES.get(name, {})), LABELS[0] if dims == 2 else LABELS
    count = target.channels(made, dims)
    values, known = target.compute(
        made, labels, arrays={"mito": labels}, voxel_size=(8.0,) * dims, threads=1
    )
    assert len(values) == len(known) == count
    assert len(target.context(made, (8.0,) * dims)) == dims
    for turn in augment.turns_of("transposes", (1,) * dims):
        assert len(augment.opinions(made, turn)) == count, "each channel has an opinion, or None"


@pytest.mark.parametrize("kind", kinds(spec.Trunk))
def test_every_trunk_has_its_answers(kind) -> None:
    trunk = kind()
    assert len(levels.kernels(trunk)) == len(cost.widths(trunk)) == len(trunk.factors) + 1
    assert levels.fold(trunk).dims == 3
    assert isinstance(levels.is_padded(trunk), bool)


@pytest.mark.parametrize("kind", kinds(spec.Augmentation))
def test_every_augmentation_has_its_node(kind) -> None:
    assert _node(kind(), (8.0, 8.0, 8.0), flat=False)


def test_every_loss_has_its_function() -> None:
    assert set(spec.Loss.kinds()) == set(DENSE)


@pytest.mark.parametrize("field", ["target", "trunk", "augment", "loss", "decoder"])
def test_a_made_up_kind_is_no_value_of_a_spec(field) -> None:
    made = {
        "target": lambda: spec.Head(target=INVENTED),
        "trunk": lambda: spec.Network(trunk=INVENTED, train_shape=(9, 9, 9)),
        "augment": lambda: spec.Dataset(augment=INVENTED),
        "loss": lambda: spec.Loss(kind="invented"),
        "decoder": lambda: spec.Segment(decoder="invented"),
    }
    with pytest.raises(ValidationError, match="invented"):
        made[field]()
