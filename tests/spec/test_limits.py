"""Names, numbers of axes and numbers that fit their type: what cannot work is refused when the
config is built."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from config.config import config
from config.networks import NETWORKS
from config.variants import VARIANTS, one
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Elastic,
    Evaluate,
    Fragments,
    Head,
    Predict,
    Segment,
    Stage,
    Synthetic,
    Train,
    Volume,
)
from lsd.spec.mistakes import lines

SEPARATED = ["../../safe/keep", "/abs", "a/b", "a\\b"]
BAD_NAMES = [
    "",
    ".",
    "..",
    *SEPARATED,
    "a\nb",
    "a\0b",
    "a\x1bb",
    "\x7f",
    "\ud800",
    "a" * 201,
    "脳" * 70,
]
GOOD_NAMES = ["größe = 3: x", "脳 の 地図", "a..b", "...", " ", "-x", "a.zarr", "👩‍🔬", "c" * 200]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_files(name) -> None:
    for build in (
        lambda: Volume(path="a", name=name),
        lambda: config.derive(name=name),
        lambda: Stage(name=name, heads={"a": Head(target=Affinities())}),
        lambda: Stage(heads={name: Head(target=Affinities())}),
        lambda: Segment(affinities=name),
    ):
        with pytest.raises(ValidationError):
            build()


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_are_files(name, tmp_path) -> None:
    assert Volume(path="a", name=name).name == config.derive(name=name).name == name
    (tmp_path / f"{name}.zarr").mkdir()


@pytest.mark.parametrize(
    "path", ["a\nb.zarr", "x/a\x1b.zarr", "a\\b.zarr", "x/" + "a" * 220 + ".zarr"]
)
def test_names_that_follow_from_files(path) -> None:
    with pytest.raises(ValidationError, match="give it a name="):
        Dataset(test=Volume(path=path))
    assert Dataset(test=Volume(path=path, name="mine")).volumes().keys() == {"mine"}


def test_names_of_volumes_that_mean_those_of_another_part() -> None:
    with pytest.raises(ValidationError, match="a volume of train is called 'test'"):
        Dataset(train=Volume(path="a", name="test"), test=Volume(path="b"))
    named = Dataset(train=Volume(path="a", name="train"), test=Volume(path="*/b", name="train"))
    assert [*named.volumes()] == ["train"]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            lambda: Descriptors(sigma=(80,)),
            "sigma: give one value an axis, z, y and x, in 2D y and x, got (80.0,)",
        ),
        (lambda: Descriptors(sigma=(1, 2, 3, 4)), "sigma: give one value an axis"),
        (lambda: Volume(path="a", voxel_size=(4,)), "voxel_size: give one value an axis"),
        (lambda: Volume(path="a", offset=(1, 2, 3, 4)), "offset: give one value an axis"),
        (
            lambda: Volume(path="a", voxel_size=(4, 4), offset=(0, 0, 0)),
            "offset (0.0, 0.0, 0.0) is of 3 axes, voxel_size of 2",
        ),
        (
            lambda: Volume(path="a", voxel_size=(4, 4), region="0:1,0:1,0:1"),
            "is of 3 axes, voxel_size of 2",
        ),
        (lambda: Volume(path="a", region="0:1,0:1,0:1,0:1"), "region has 4 slices"),
        (lambda: Dataset(voxel_size=(1, 2, 3, 4)), "voxel_size: give one value an axis"),
        (lambda: Elastic(spacing=(4,)), "spacing: give one value an axis"),
        (lambda: Elastic(jitter=(4, 4, 4, 4)), "jitter: give one value an axis"),
        (lambda: Predict(shape=(64,)), "shape: give one value an axis"),
        (lambda: Predict(region="0:1,0:1,0:1,0:1"), "region has 4 slices"),
        (lambda: Affinities(neighborhood=((0, 0, 1), (1, 0))), "2 or 3 whole numbers"),
        (
            lambda: config.derive(network=NETWORKS["small2d"], predict={"shape": (9, 9, 9)}),
            "predict.shape: (9, 9, 9) has 3 axes",
        ),
        (
            lambda: config.derive(predict={"shape": (9, 9)}),
            "predict.shape: (9, 9) has 2 axes, the network 3",
        ),
        (
            lambda: config.derive(variant=one(lsds=Head(target=Descriptors(sigma=(80, 80))))),
            "head 'lsds': target.sigma: (80.0, 80.0) is of 2 axes, the network of "
            "3; give z y x, or one for all",
        ),
        (
            lambda: config.derive(
                variant=one(affs=Head(target=Affinities(neighborhood=((0, 1),))))
            ),
            "head 'affs': target.neighborhood: offset (0, 1) is of 2 axes, the "
            "network of 3; give z y x",
        ),
        (
            lambda: config.derive(
                network=NETWORKS["small2d"],
                variant=one(affs=Head(target=Affinities(neighborhood=((-1, 0, 0),)))),
            ),
            "no offset within 2 axes; add one in y or x",
        ),
        (
            lambda: config.derive(
                network=NETWORKS["small2d"], variant=one(l=Head(target=Descriptors(components="9")))
            ),
            "components: '9' names channels of 2D by digits, each once; there are: 012345",
        ),
        (
            lambda: config.derive(dataset=Dataset(train=Volume(path="a", voxel_size=(4, 4)))),
            "volume 'a_train': voxel_size: (4.0, 4.0) is of 2 axes, the network of 3; give z y x",
        ),
        (
            lambda: config.derive(dataset={"voxel_size": (4, 4)}),
            "dataset.voxel_size: (4.0, 4.0) is of 2 axes",
        ),
        (
            lambda: config.derive(dataset=Dataset(train=Volume(path="a", offset={"raw": (4, 4)}))),
            "volume 'a_train': offset.raw: (4.0, 4.0) is of 2 axes, the network of 3; give z y x",
        ),
    ],
)
def test_one_value_an_axis(build, says) -> None:
    with pytest.raises(ValidationError) as error:
        build()
    [line] = lines(error.value)
    assert says in line


def test_axes_are_those_of_each_array_and_not_their_number() -> None:
    for names in (("raw",), ("raw", "labels"), ("raw", "labels", "labels_mask")):
        sizes = dict.fromkeys(names, (40, 4, 4))
        volume = Volume(
            path="a", labels="labels", labels_mask="mask", voxel_size=sizes, offset=sizes
        )
        assert config.derive(dataset=Dataset(train=volume)).dataset.train[0].offset == sizes


def test_flat_networks_take_three_values_and_two() -> None:
    flat = config.derive(network=NETWORKS["small2d"], predict={"shape": (96, 96)})
    for sigma in (80, (80, 40), (100, 80, 80)):
        assert flat.derive(variant=one(lsds=Head(target=Descriptors(sigma=sigma))))
    assert flat.derive(dataset={"voxel_size": (8, 4, 4)})
    assert flat.derive(dataset={"voxel_size": (4, 4)})
    # a checkpoint that is named by its path has a network of its own
    assert config.derive(
        predict={"shape": (96, 96), "checkpoint": "flat.pt"}, dataset={"voxel_size": (4, 4)}
    )
    assert flat.derive(variant=VARIANTS["lr"])


@pytest.mark.parametrize(
    ("build", "dtype"),
    [
        (lambda n: Volume(path="a", unknown=n).unknown, np.uint64),
        (lambda n: Evaluate(ignore=(0, n)).ignore[1], np.uint64),
        (lambda n: Train(seed=n).seed, np.int64),
        (lambda n: Train(iterations=n).iterations, np.int64),
        (lambda n: Train(batch_size=n).batch_size, np.int64),
        (lambda n: Synthetic(seed=n).seed, np.int64),
        (lambda n: Synthetic(shape=(9, 9, n)).shape[2], np.int64),
        (lambda n: Fragments(min_size=n).min_size, np.int64),
        (lambda n: Fragments(blank_sections=n).blank_sections[0], np.int64),
        (lambda n: Affinities(neighborhood=((0, 0, n),)).neighborhood[0][2], np.int64),
        (lambda n: Volume(path="a", region=((0, n),)).region[0][1], np.int64),
        (lambda n: Segment(block=(9, 9, n)).block[2], np.int64),
        (lambda n: Predict(threads=n).threads, np.int64),
    ],
)
def test_numbers_fit_their_type(build, dtype) -> None:
    most = int(np.iinfo(dtype).max)
    assert build(most) == most
    for large in (most + 1, 10**30):
        with pytest.raises(ValidationError) as error:
            build(large)
        [line] = lines(error.value)
        assert str(most) in line


def test_numbers_of_json_fit_too() -> None:
    data = json.loads(config.model_dump_json())
    data["dataset"]["train"][0]["unknown"] = 2**64
    with pytest.raises(ValidationError) as error:
        Config.model_validate_json(json.dumps(data))
    [line] = lines(error.value)
    assert line.startswith(
        "dataset.train.0.unknown: input should be less than or equal to 18446744073709551615"
    )


def test_a_number_that_cannot_be_shown_is_refused_all_the_same() -> None:
    with pytest.raises(ValidationError, match="thousands of digits"):
        Train(iterations=10**5000)


def test_no_head_takes_the_place_of_records() -> None:
    with pytest.raises(ValidationError, match="rename it"):
        Stage(heads={"blocks": Head(target=Affinities())})


def test_a_seed_is_one_that_generators_take() -> None:
    with pytest.raises(ValidationError, match="seed"):
        Train(seed=-1)
    np.random.SeedSequence(Train(seed=2**63 - 1).seed)
