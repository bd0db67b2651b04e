"""A threshold is used where it was picked with the settings of the config, on what are validation
volumes now."""

import json

import pytest

from lsd.segmentation.threshold import picked, scoring_settings, validated
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Evaluate,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
    Workers,
)
from lsd.spec.paths import evaluation_file, run_folder, validation_file


@pytest.fixture
def config(tmp_path) -> Config:
    """A run with a folder, that picked 0.3 in evaluation and 0.4 in training."""
    config = Config(
        name="run",
        dataset=Dataset(
            validate=(Volume(path="a.zarr", name="a"), Volume(path="b.zarr", name="b"))
        ),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        runs=str(tmp_path),
    )
    run_folder(config).mkdir(parents=True)
    settings = {
        "segment": scoring_settings(config.segment),
        "evaluate": config.evaluate.model_dump(mode="json"),
    }
    on = {
        name: volume.model_dump(mode="json")
        for name, volume in config.dataset.part("validate").items()
    }
    _write(evaluation_file(config), {"threshold": 0.3, **settings, "picked_on": on})
    _write(validation_file(config), {"threshold": 0.4, "yardstick": settings})
    return config


def _write(path, content) -> None:
    path.write_text(json.dumps(content))


def _changed(config: Config, part: str, **fields) -> Config:
    return config.derive(**{part: getattr(config, part).derive(**fields)})


def test_as_it_was_picked(config, caplog) -> None:
    assert (picked(config), validated(config)) == (0.3, 0.4)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("segment", {"thresholds": (0.7,)}),
        ("segment", {"workers": Workers(count=3)}),
        ("evaluate", {"block": (9, 9, 9)}),
        ("evaluate", {"workers": Workers(count=3)}),
        ("predict", {"volumes": ("a",)}),
    ],
)
def test_what_is_no_matter(config, caplog, part, fields) -> None:
    other = _changed(config, part, **fields)
    assert (picked(other), validated(other)) == (0.3, 0.4)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("part", "fields", "said"),
    [
        ("segment", {"scoring": "mean_all"}, "segment.scoring: mean there, mean_all asked for"),
        ("segment", {"use_mask": True}, "segment.use_mask: False there, True asked for"),
        ("evaluate", {"tolerance": 0.05}, "evaluate.tolerance: 0.0 there, 0.05 asked for"),
        (
            "evaluate",
            {"background": "ignore"},
            "evaluate.background: label there, ignore asked for",
        ),
        ("evaluate", {"connected": True}, "evaluate.connected: False there, True asked for"),
        ("evaluate", {"ignore": (0, 9)}, "evaluate.ignore: [0] there, [0, 9] asked for"),
        ("evaluate", {"region": ((0, 5),)}, "evaluate.region: [] there, [[0, 5]] asked for"),
        ("evaluate", {"use_mask": False}, "evaluate.use_mask: True there, False asked for"),
        # what is not written is as usual
        ("evaluate", {"metric": "cremi"}, "evaluate.metric: voi there, cremi asked for"),
        (
            "segment",
            {"objects": {"min_size": 3}},
            "segment.objects.min_size: 0 there, 3 asked for",
        ),
    ],
)
def test_what_was_picked_otherwise_is_not_used(config, caplog, part, fields, said) -> None:
    other = _changed(config, part, **fields)
    assert picked(other) is None
    assert [str(path) in text and said in text for path, text in zip(
        (evaluation_file(config), validation_file(config)), caplog.messages, strict=True
    )] == [True, True]  # fmt: skip
    assert "run `lsd evaluate` on validation volumes" in caplog.messages[0]


def test_a_metric_that_is_not_written_is_named(config, caplog) -> None:
    by_cremi = config.derive(evaluate={"metric": "cremi"})
    content = json.loads(evaluation_file(config).read_text())
    content["evaluate"] = by_cremi.evaluate.model_dump(mode="json")
    _write(evaluation_file(config), content)
    assert picked(config) == 0.4
    [said] = caplog.messages
    assert "evaluate.metric: cremi there, voi asked for; 0.4, of validation during" in said


def test_blocks_are_nothing_to_the_validation_of_training(config, caplog) -> None:
    other = _changed(config, "segment", block=(64, 64, 64), context=(8, 8, 8))
    assert picked(other) == 0.4
    [said] = caplog.messages
    assert "segment.block" in said


def test_what_is_no_validation_volume_any_more(config, caplog) -> None:
    """Or its threshold would be picked on what is tested now."""
    a, b = config.dataset.validate
    moved = config.derive(dataset=Dataset(validate=(a,), test=(b,)))
    assert picked(moved) == 0.4
    assert "volume 'b' is no validation volume, or another one now" in caplog.text
    cropped = config.derive(dataset=Dataset(validate=(a, b.derive(region=((0, 9),)))))
    assert picked(cropped) == 0.4
    more = config.derive(dataset=Dataset(validate=(a, b, Volume(path="c.zarr", name="c"))))
    assert picked(more) == 0.3


def test_training_validated_on_what_is_a_test_volume_now(config, caplog) -> None:
    on = {
        name: {"spec": volume.model_dump(mode="json")}
        for name, volume in config.dataset.part("validate").items()
    }
    content = json.loads(validation_file(config).read_text())
    _write(
        validation_file(config), {**content, "yardstick": {**content["yardstick"], "volumes": on}}
    )
    assert validated(config) == 0.4
    assert not caplog.messages
    first, second = config.dataset.validate
    assert validated(config.derive(dataset={"validate": (second,), "test": (first,)})) is None
    assert "volume 'a' is no validation volume, or another one now" in caplog.text
    assert (
        validated(config.derive(dataset={"validate": (first, second.derive(region="0:5"))})) is None
    )


def test_files_of_before_are_read(config) -> None:
    """They noted less."""
    _write(evaluation_file(config), {"threshold": 0.3, "segment": scoring_settings(config.segment)})
    assert picked(_changed(config, "evaluate", tolerance=0.1)) == 0.3
    _write(evaluation_file(config), {"threshold": None})
    _write(validation_file(config), {"threshold": 0.4, "segment": scoring_settings(config.segment)})
    assert picked(config) == 0.4
    assert picked(config.derive(segment=Segment(scoring="mean_all"))) is None
    assert picked(config.derive(evaluate=Evaluate(connected=True))) == 0.4
