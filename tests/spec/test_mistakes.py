"""One mistake is one line, which names the field as the user wrote it and what helps."""

import pytest
from pydantic import ValidationError

from config.config import config
from lsd.cli.fields import sections
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Evaluate,
    ForkMerge,
    Head,
    Malis,
    Mask,
    Mse,
    MutexWatershed,
    Network,
    Predict,
    Rule,
    Segment,
    Simple,
    Stage,
    Train,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.collected import collecting
from lsd.spec.corrections import Corrections
from lsd.spec.mistakes import lines, suggestion


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Train(itertions=3), "Train: no field 'itertions'; did you mean 'iterations'?"),
        (
            lambda: Segment(threshold=0.5),
            "Segment: no field 'threshold'; did you mean 'thresholds' or "
            "'decoder.threshold' or 'fragments.threshold'?",
        ),
        (
            lambda: Train().derive(**{"schedule.kind": "cosine"}),
            "Train: no field 'schedule.kind'; in code, a field of another one is given as "
            "schedule={'kind': ..}",
        ),
        (
            lambda: Train(validate_every=None),
            "Train.validate_every: wants a whole number, 0 for none or never, got None",
        ),
        (
            lambda: Segment(decoder={"kind": "watershed", "mutex": 3}),
            "Segment.decoder: no field 'mutex'; there are: kind",
        ),
        (lambda: Train(clip=0), "Train.clip: input should be greater than 0, or None, got 0"),
        (lambda: Train(threads=0), "Train.threads: input should be greater than 0, or None, got 0"),
        (lambda: Train(betas=0.9), "Train.betas: wants a tuple of 2, got 0.9"),
        (lambda: Train(betas=(0.9,)), "Train.betas: wants 2 values, got (0.9,)"),
        (lambda: Train(betas=()), "Train.betas: wants 2 values, got ()"),
        (
            lambda: Volume(path="a", raw="r", region=((0, 1), (2,))),
            "Volume.region.1: wants 2 values, got (2,)",
        ),
        (
            lambda: Corrections(joins=((11,), (3, (1.0, 2.0)))),
            "Corrections.joins.0: a join is two fragments, each an id or a place in it, as in "
            "[17, 23], got (11,)",
        ),
        (
            lambda: Corrections(cuts=((1, 2), 11)),
            "Corrections.cuts.1: a cut is two fragments, each an id or a place in it, as in "
            "[17, 23], got 11",
        ),
        (lambda: Train(iterations="many"), "Train.iterations: wants a whole number, got 'many'"),
        (lambda: Predict(shape=64), "Predict.shape: wants a tuple, as in (64, 64, 64), got 64"),
        (
            lambda: Segment(thresholds=2),
            "Segment.thresholds: input should be less than or equal to 1, got 2",
        ),
        (lambda: Segment(thresholds="low"), "Segment.thresholds: wants a number, got 'low'"),
        (
            lambda: Descriptors(sigma=-1),
            "Descriptors.sigma: input should be greater than 0, got -1",
        ),
        (lambda: Descriptors(sigma="wide"), "Descriptors.sigma: wants a number, got 'wide'"),
        (
            lambda: Descriptors(sigma=(80, -1, 80)),
            "Descriptors.sigma.1: input should be greater than 0, got -1",
        ),
        (
            lambda: Network(trunk={"kind": "vnet"}, train_shape=(9, 9)),
            "Network.trunk: 'vnet' is unknown; allowed: unet",
        ),
        (
            lambda: Network(trunk={"kind": "unet", "featuers": 3}, train_shape=(9, 9)),
            "Network.trunk: no field 'featuers'; did you mean 'features'?",
        ),
        (
            lambda: Network(trunk=UNet(), train_shape=5),
            "Network.train_shape: wants a tuple, as in (5, 5, 5), got 5",
        ),
        (lambda: Network(trunk=UNet()), "Network.train_shape: it has no default, so give it"),
        (
            lambda: Dataset(train={"path": "a", "weigth": 2}),
            "Dataset.train: no field 'weigth'; did you mean 'weight'?",
        ),
        (
            lambda: Dataset(train=({"path": "a", "weigth": 2},)),
            "Dataset.train.0: no field 'weigth'; did you mean 'weight'?",
        ),
        (
            lambda: Dataset(train="fib25.zarr"),
            "Dataset.train: wants a tuple of Volume, got 'fib25.zarr'",
        ),
        (
            lambda: Dataset(augment={"kind": "simple", "miror": "z"}),
            "Dataset.augment: no field 'miror'; did you mean 'mirror'?",
        ),
        (
            lambda: Dataset(augment=Train()),
            "Dataset.augment: wants one of several kinds, so name it, as in 'elastic' or "
            "{'kind': 'elastic'}; got Train(",
        ),
        (
            lambda: Segment(decoder=MutexWatershed),
            "Segment.decoder: wants a value, got the class MutexWatershed; write MutexWatershed()",
        ),
        (
            lambda: Head(target=Affinities(), loss=3),
            "Head.loss: wants one of several kinds, so name it, as in 'mse' or {'kind': 'mse'}; "
            "got 3",
        ),
        (lambda: Rule(one=40), "Rule.one: input should be less than or equal to 1, got 40"),
        (lambda: Rule(both=3), "Rule.both: input should be less than or equal to 1, got 3"),
        (lambda: ForkMerge(factors=[]), "ForkMerge.factors: factors () add no branch to another"),
        (lambda: ForkMerge(factors=0), "ForkMerge.factors: factors (0.0,) add no branch"),
        *(
            (
                lambda kind=kind: Stage(
                    name="x", heads={"affs": Head(target=Affinities())}, weighting=kind
                ),
                f"Stage: weighting '{kind}' weighs heads against each other, and stage 'x' has "
                "one, affs; leave weighting out",
            )
            for kind in ("pcgrad", "project_auxiliary", "cosine_gate")
        ),
        # a loss that may hold another one
        (lambda: Malis(weigth=1), "Malis: no field 'weigth'; did you mean 'weight'?"),
        (lambda: Malis(dens=Mse()), "Malis: no field 'dens'; did you mean 'dense'?"),
        (
            lambda: Head(target=Affinities(), loss={"kind": "malis", "name": "y"}),
            "Head.loss: no field 'name'; there are: kind, weight, dense",
        ),
        (
            lambda: Head(target=Affinities(), loss={"kind": "malis", "dense": {"weigth": 1}}),
            "Head.loss.dense: no field 'weigth'; did you mean 'weight'?",
        ),
        (
            lambda: Head(target=Affinities(), balance=True),
            "Head: no field 'balance'; did you mean 'loss.balance' or 'loss.dense.balance'?",
        ),
        (
            lambda: Head(target=Affinities(), loss="dcie"),
            "Head.loss: 'dcie' is unknown; allowed: mse, bce, dice",
        ),
        (
            lambda: Stage(heads={"a": {"target": {"kind": "affinities", "neighbourhood": ()}}}),
            "Stage.heads.a.target: no field 'neighbourhood'; did you mean 'neighborhood'?",
        ),
        (
            lambda: Variant(stages={"name": "a/b", "heads": {"a": Head(target=Affinities())}}),
            "Variant.stages.name: a stage's",
        ),
        (
            lambda: Stage(heads={"a b": Head(target=Affinities())}),
            "Stage.heads.a b: a name that arrays get is of letters",
        ),
        (
            lambda: config.derive(dataset=Volume(path="a")),
            "dataset: wants several fields by name: train, validate, test, voxel_size, augment, "
            "got Volume(",
        ),
        (
            lambda: Train(schedule="cosine"),
            "Train.schedule: wants several fields by name: kind, warmup, final, got 'cosine'",
        ),
        (
            lambda: Segment(workers=2),
            "Segment.workers: got 2, wanted several fields by name; the number of processes",
        ),
        (
            lambda: Train(init="best.pt"),
            "Train.init: wants a dictionary, as in {name: value}, got 'best.pt'",
        ),
        (lambda: Train(iterations=5.5), "Train.iterations: wants a whole number, got 5.5"),
        (lambda: Segment(thresholds=()), "Segment.thresholds: wants at least 1 value, got ()"),
        (
            lambda: Train(betas=(0.9, 0.9, 0.9)),
            "Train.betas: wants at most 2 values, got (0.9, 0.9, 0.9)",
        ),
        (lambda: Volume(path="a", raw_range=5), "Volume.raw_range: wants a tuple of 2, got 5"),
        (
            lambda: Volume(path="a", voxel_size=8),
            "Volume.voxel_size: wants a tuple, as in (8, 8, 8), got 8",
        ),
        (lambda: UNet(factors=2), "UNet.factors: wants a tuple, as in ((2, 2, 2),), got 2"),
        (lambda: UNet(factors=(2, 2, 2)), "UNet.factors.0: wants a tuple, as in (2, 2, 2), got 2"),
        (
            lambda: Affinities(neighborhood=-1),
            "Affinities.neighborhood: wants a tuple, as in ((-1, -1, -1),), got -1",
        ),
        (
            lambda: Evaluate(ignore=-1),
            "Evaluate.ignore: input should be greater than or equal to 0, got -1",
        ),
    ],
)
def test_one_line_a_mistake(build, says) -> None:
    with pytest.raises(ValidationError) as error:
        build()
    [line] = lines(error.value)
    assert line.startswith(says)
    assert len(line) < 300


def test_one_alone_is_a_tuple_of_one() -> None:
    volume, head = Volume(path="a"), Head(target=Affinities())
    assert Dataset(train=volume, augment=Simple()) == Dataset(train=(volume,), augment=(Simple(),))
    assert Dataset(train={"path": "a"}) == Dataset(train=(volume,))
    assert Variant(stages=Stage(reads="raw", heads={"a": head})) == Variant(
        stages=(Stage(heads={"a": head}),)
    )
    assert Affinities(neighborhood=(-1, 0, 0)) == Affinities(neighborhood=((-1, 0, 0),))
    assert Segment(thresholds=0.5) == Segment(thresholds=(0.5,))
    assert Evaluate(ignore=7) == Evaluate(ignore=(7,))
    assert Predict(volumes="test", heads="affs") == Predict(volumes=("test",), heads=("affs",))


def test_a_mistake_inside_brings_no_second_line() -> None:
    """Neither of the specs around it nor of what compares its fields with others."""
    with collecting() as errors:
        stage = Stage(reads=("lsd",), heads={"affs": Head(target=Affinities(neighbourhood=()))})
        other = Stage(name="b", reads=("affs",), heads={"more": Head(target=Mask(aray="x"))})
        variant = Variant(stages=(stage, other))
        Config(
            name="x",
            dataset=config.dataset,
            variant=variant,
            network=config.network,
            segment={"decoder": "mutex"},
        )
    assert [line for error in errors for line in lines(error)] == [
        "Affinities: no field 'neighbourhood'; did you mean 'neighborhood'?",
        "Mask.array: it has no default, so give it",
        "Mask: no field 'aray'; did you mean 'array'?",
    ]


def test_the_same_mistake_twice_is_two() -> None:
    with collecting() as errors:
        Dataset(train=(Volume(path="a", weight=0), Volume(path="b", weight=0)))
    assert len(errors) == 2


@pytest.mark.parametrize(
    ("name", "deeper", "says"),
    [
        ("abd", (), "; did you mean 'abc'?"),
        ("zz", (), "; there are: abc, other"),
        ("zz", ("x.zz", "y.zz"), "; did you mean 'x.zz' or 'y.zz'?"),
        ("other_", ("x.other_",), "; did you mean 'other' or 'x.other_'?"),
    ],
)
def test_meant(name, deeper, says) -> None:
    assert suggestion(name, ["abc", "other"], deeper) == says


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.spec.__name__)
def test_a_field_that_is_not_there_is_named_by_every_spec_of_a_config(section) -> None:
    with pytest.raises(ValidationError) as error:
        section.spec(zzz=1)
    assert "no field 'zzz'; there are: " in "\n".join(lines(error.value))
