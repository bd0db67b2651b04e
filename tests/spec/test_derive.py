"""A spec derived from another equals one that is written out; whatever way a spec was made, what is
wrong is refused."""

import copy
import pickle

import pytest
from pydantic import BaseModel, ValidationError

from config.config import config
from config.datasets import DATASETS
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.evaluation.run import evaluate
from lsd.evaluation.scores import Evaluation
from lsd.prediction.run import predict
from lsd.report.run import draw_figures
from lsd.segmentation.run import segment
from lsd.spec import Config, Fragments, Schedule, Segment, Sharpen, Spec, Train, UNet, Volume
from lsd.spec.collected import collecting
from lsd.spec.mistakes import lines
from lsd.training.loop import train
from lsd.volumes.find import expand

VOLUME = Volume(path="a.zarr", labels="ids")


def plainly(spec: Spec, changes: dict) -> Spec:
    """What derive should give, by hand: the JSON of the spec, changed and read again."""

    def put(data, changes):
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(data.get(key), dict) and key != "init":
                put(data[key], value)
            else:
                data[key] = value.model_dump() if isinstance(value, Spec) else value

    data = spec.model_dump()
    put(data, changes)
    return type(spec).model_validate(data)


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (config, {}),
        (config, {"name": "x"}),
        (
            config,
            {
                "train": {"iterations": 5, "schedule": {"kind": "cosine"}},
                "segment": {"fragments": {"in_xy": True}},
            },
        ),
        (config, {"train": Train(iterations=5), "dataset": DATASETS["fib25"]}),
        (config, {"train": {"init": {"main": "a.pt"}, "frozen": "main"}}),
        (config.train.derive(init={"main": "a.pt"}), {"init": {}}),
        (config, {"network": {"trunk": {"features_out": 3}}}),
        (VOLUME, {"sharpen": {"amount": 2}, "region": "0:5"}),
        (VOLUME.derive(sharpen=Sharpen(amount=2)), {"sharpen": {"in_xy": True}}),
        (VOLUME.derive(sharpen=Sharpen(amount=2)), {"sharpen": None}),
    ],
)
def test_equals_one_that_is_written_out(base, changes) -> None:
    before = base.model_dump_json()
    derived = base.derive(**changes)
    assert derived == plainly(base, changes) == base.model_copy(update=changes)
    assert type(derived) is type(base)
    assert base.model_dump_json() == before


def test_another_kind_stands_for_itself() -> None:
    whole = config.derive(network={"trunk": {"kind": "unet"}, "train_shape": (196, 196, 196)})
    assert whole.network.trunk == UNet()
    assert whole.derive(network={"trunk": {"kind": "unet", "features": 3}}).network.trunk == UNet(
        features=3
    )


def test_what_was_said_before_stays() -> None:
    assert config.derive(train={"schedule": {"kind": "cosine"}}).train == config.train.derive(
        schedule=Schedule(kind="cosine")
    )
    assert (
        config.derive(train={"seed": 4}).train.iterations
        == config.train.iterations
        != Train().iterations
    )


def test_a_field_called_kind_is_one_of_several_where_there_are_no_kinds() -> None:
    base = config.train.derive(schedule=Schedule(kind="cosine", warmup=100, final=0.02))
    changed = config.derive(train=base).derive(train={"schedule": {"kind": "linear"}})
    assert changed.train.schedule == Schedule(kind="linear", warmup=100, final=0.02)


def test_all_mistakes_at_once_by_their_dotted_path() -> None:
    changes = {
        "train": {"iterations": -5, "iterations_typo": 1},
        "segment": {"fragments": {"treshold": 0.3}},
        "nmae": "x",
    }
    for make in (lambda: config.derive(**changes), lambda: config.model_copy(update=changes)):
        with pytest.raises(ValidationError) as error:
            make()
        assert sorted(lines(error.value)) == sorted(
            [
                "train.iterations: input should be greater than or equal to 0, got -5",
                "train: no field 'iterations_typo'; did you mean 'iterations'?",
                "segment.fragments: no field 'treshold'; did you mean 'threshold'?",
                "no field 'nmae'; did you mean 'name'?",
            ]
        )
        assert "train.iterations_typo" in str(error.value)
        assert "did you mean 'iterations'?" in str(error.value)


def test_fields_are_checked_against_each_other_again() -> None:
    with pytest.raises(ValidationError, match="wants scoring 'mean'"):
        config.segment.derive(scoring="hist_quant_75", caution=0.2)
    with pytest.raises(ValidationError, match="the variant has: main"):
        config.derive(train={"init": {"mian": "a.pt"}})


def wrong_ones():
    """A config with iterations=-7 (or another mistake) inside, made past all that would refuse
    it."""
    construct = config.train.model_construct(**{**config.train.__dict__, "iterations": -7})
    yield "constructed", Config.model_construct(**{**config.__dict__, "train": construct})
    unknown = config.train.model_construct(**{**config.train.__dict__, "itertions": 5})
    yield "constructed, misspelt", Config.model_construct(**{**config.__dict__, "train": unknown})
    set_later = config.derive()
    object.__setattr__(set_later.train, "iterations", -7)
    yield "set", set_later
    misspelt = config.derive()
    object.__setattr__(misspelt, "itertions", 5)
    yield "misspelt", misspelt
    in_place = config.derive(train={"init": {"main": "x.pt"}})
    in_place.train.init["mian"] = 7
    yield "in place", in_place
    copied = copy.deepcopy(set_later)
    yield "copied", copied
    yield "pickled", pickle.loads(pickle.dumps(set_later))
    yield "pydantic's copy", BaseModel.model_copy(config, update={"train": {"itertions": 5}})
    with collecting() as errors:
        stand_in = Config(
            name="x",
            dataset=DATASETS["fib25"],
            variant=VARIANTS["aff"],
            network=NETWORKS["small"],
            train=Train(itertions=-7),
        )
    assert len(errors) == 1
    yield "stand-in", stand_in
    yield "stand-in, pickled", pickle.loads(pickle.dumps(stand_in))


WRONG = dict(wrong_ones())
EMPTY = Evaluation(None, "", {})


@pytest.mark.parametrize(
    "run", [train, predict, segment, evaluate, expand, lambda c: draw_figures(c, EMPTY)]
)
@pytest.mark.parametrize("made", WRONG)
def test_nothing_runs_with_what_is_wrong(made, run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"iterations|itertions|init"):
        run(WRONG[made])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made", WRONG)
def test_nothing_is_made_of_what_is_wrong(made) -> None:
    wrong = WRONG[made]
    for make in (wrong.checked, wrong.derive, wrong.model_copy, lambda: wrong.derive(name="y")):
        with pytest.raises(ValueError, match=r"iterations|itertions|init"):
            make()
    if made != "misspelt":
        with pytest.raises(ValidationError, match=r"iterations|itertions|init"):
            config.derive(train=wrong.train)


def test_a_config_of_plain_data_becomes_one_of_specs(tmp_path) -> None:
    plain = Config.model_construct(**config.derive(data_root=str(tmp_path)).model_dump())
    assert isinstance(expand(plain).train, Train)


def test_a_spec_that_stood_in_is_refused_ever_after() -> None:
    for _ in range(2):
        with collecting() as errors:
            wrong = Segment(thresholds=5, fragments=Fragments(treshold=1))
            outer = config.derive(segment=wrong)
            outer.derive(name="..", train={"seed": 3})
        assert [line for error in errors for line in lines(error)] == [
            "Fragments: no field 'treshold'; did you mean 'threshold'?",
            "Segment.thresholds: input should be less than or equal to 1, got 5",
            "name: a run's name is one folder name, got '..'; the folder above it is set with "
            "runs=",
        ]
        for value in (wrong, pickle.loads(pickle.dumps(wrong)), copy.copy(wrong)):
            with pytest.raises(ValidationError, match="treshold"):
                config.derive(segment=value)
    with collecting() as errors:
        config.derive(segment=wrong)
    assert len(errors) == 1
    assert len(errors[0].errors()) == 2


def test_specs_are_no_lists() -> None:
    with pytest.raises(TypeError, match="one value"):
        list(config.train)
    with pytest.raises(ValidationError) as error:
        Segment(thresholds=config.segment)
    assert len(lines(error.value)) == 1
