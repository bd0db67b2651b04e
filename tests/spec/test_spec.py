"""Specs: a round trip through JSON changes nothing, and what makes no sense is refused when it is
built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from config import config as default
from config.datasets import AUGMENTATIONS, DATASETS
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Head,
    Network,
    Region,
    ResidualUNet,
    Segment,
    Spec,
    Stage,
    Synthetic,
    Train,
    UNet,
    Variant,
    Volume,
)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_json_round_trip(dataset, variant, network) -> None:
    config = Config(
        name="x", dataset=DATASETS[dataset], variant=VARIANTS[variant], network=NETWORKS[network]
    )
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_round_trip(name) -> None:
    dataset = Dataset(augment=AUGMENTATIONS[name])
    assert Dataset.model_validate_json(dataset.model_dump_json()) == dataset


def test_specs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        default.config.name = "other"


def test_every_field_of_every_spec_is_documented_or_obvious() -> None:
    assert all(spec.__doc__ for spec in _specs(Spec) if spec.__module__.startswith("lsd."))


def _specs(base):
    return [found for child in base.__subclasses__() for found in (child, *_specs(child))]


ends = st.one_of(st.none(), st.integers(-1000, 1000))


@given(st.lists(st.tuples(ends, ends), max_size=3))
def test_regions_read_what_slices_say(bounds) -> None:
    text = ", ".join(f"{'' if b is None else b}:{'' if e is None else e}" for b, e in bounds)
    adapter = TypeAdapter(Region)
    if any(b is not None and e is not None and b >= e for b, e in bounds):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
    else:
        assert adapter.validate_python(text) == tuple(bounds)


def _mutex(target):
    return Config(
        name="a",
        dataset=DATASETS["synthetic"],
        variant=Variant(stages=(Stage(heads={"affs": Head(target=target)}),)),
        network=NETWORKS["small"],
        segment=Segment(decoder="mutex"),
    )


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Volume(), "none of them"),
        (lambda: Volume(path="a", synthetic=Synthetic()), "2 of them"),
        (lambda: Dataset(train=(Volume(path="a.zarr"), Volume(path="b/a.zarr"))), "a_train"),
        (lambda: Affinities(neighborhood=((0, 0, 0),)), "other than 0"),
        (lambda: Affinities(neighborhood=((0, 0, 1), (0, 0, 1))), "twice"),
        (lambda: Affinities(neighborhood=((0, 0, 1), (0, 1))), "2 or 3"),
        (
            lambda: Variant(
                stages=(Stage(reads=("lsd",), heads={"a": Head(target=Affinities())}),)
            ),
            "earlier stages give: raw",
        ),
        (
            lambda: Variant(stages=(Stage(heads={"a": Head(target=Affinities())}),) * 2),
            "exists already",
        ),
        (lambda: UNet(factors=((2, 2), (2, 2))), "axes"),
        (lambda: UNet(level_kernels=(((3, 3, 3),),)), "levels"),
        (lambda: ResidualUNet(widths=(1, 2)), "need 1 factors"),
        (lambda: Network(trunk=UNet(), train_shape=(100, 100)), "one size an axis"),
        (lambda: Train(frozen=("main",)), "train.init"),
        (lambda: _mutex(Affinities()), "far affinities"),
        (
            lambda: Segment(scoring="hist_quant_75", caution=0.2),
            "caution 0.2 wants scoring 'mean' or 'mean_all', got 'hist_quant_75'",
        ),
        (
            lambda: Segment(scoring="hist_quant_75", agglomeration="whole"),
            "set scoring=mean, or agglomeration=blocks",
        ),
    ],
)
def test_nonsense_is_refused(build, says) -> None:
    with pytest.raises(ValidationError) as error:
        build()
    assert says in str(error.value)


def test_volumes_are_named_after_file_and_part() -> None:
    names = DATASETS["fib25"].volumes()
    assert list(names) == ["fib25_train", "fib25_validate", "fib25_test"]


def test_volumes_take_the_voxel_size_of_the_dataset() -> None:
    dataset = Dataset(
        test=(Volume(path="a"), Volume(path="b", voxel_size=(1, 2, 3))), voxel_size=(5.24, 4, 4)
    )
    assert [v.voxel_size for v in dataset.part("test").values()] == [(5.24, 4, 4), (1, 2, 3)]
