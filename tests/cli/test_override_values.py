"""Values of overrides: as Python or as JSON writes them, and kinds that change."""

from pathlib import Path

import pytest

from lsd import cli
from lsd.spec import Ball, ForkMerge, Malis, Mse, Occupancy, Quantile, Sharpen

CONFIG = Path(__file__).parents[2] / "config" / "config.py"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        *(
            (
                f"variant.stages.0.heads.affs.loss={written}",
                lambda c: c.variant.stages[0].heads["affs"].loss == Mse(balance=True),
            )
            for written in (
                '{"kind": "mse", "balance": true, "channel_weights": null}',
                "{'kind': 'mse', 'balance': True, 'channel_weights': None}",
                "{'kind': 'mse', 'balance': true}",
                '{"kind": "mse", "bal\\u0061nce": true}',
            )
        ),
        ("segment.fragments={'in_xy': true}", lambda c: c.segment.fragments.in_xy),
        # an open end, as in the config file and as JSON writes it
        *(
            (f"predict.region={written}", lambda c: c.predict.region == ((0, 5), (None, None)))
            for written in ("[[0, 5], [null, null]]", "((0, 5), (none, None))")
        ),
        # several names
        *(
            (f"predict.volumes={written}", lambda c: c.predict.volumes == ("train", "test"))
            for written in ("train,test", "[train, test]", "('train', 'test')", '["train", "test"]')
        ),
        ("predict.volumes=train", lambda c: c.predict.volumes == ("train",)),
        ("predict.region=0:5, :", lambda c: c.predict.region == ((0, 5), (None, None))),
        ("seeds.located=a,b.csv", lambda c: c.seeds.located == "a,b.csv"),
        # braces that are no dictionary
        ("seeds.located={volume}.csv", lambda c: c.seeds.located == "{volume}.csv"),
        ("seeds.located={volume}", lambda c: c.seeds.located == "{volume}"),
        # what only the kind of before has goes with it
        (
            "variant.stages.0.heads.affs.loss.kind=malis",
            lambda c: c.variant.stages[0].heads["affs"].loss == Malis(),
        ),
    ],
)
def test_values(override, read) -> None:
    assert read(cli.load(CONFIG, [override]))


def test_a_mistake_in_json_is_named() -> None:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(CONFIG, ['variant.stages.0.heads.affs.loss={"kind":"malis","weigth":1}'])
    says = "variant.stages.0.heads.affs.loss: no field 'weigth'; did you mean 'weight'?"
    assert str(error.value) == says


def test_what_was_set_does_not_go_with_the_kind_of_before() -> None:
    loss = "variant.stages.0.heads.affs.loss"
    config = cli.load(CONFIG, [f"{loss}.weight=2", f"{loss}.kind=malis"])
    assert config.variant.stages[0].heads["affs"].loss == Malis(weight=2)
    with pytest.raises(cli.ConfigError, match=r"no field 'balance'; did you mean 'dense\."):
        cli.load(CONFIG, [f"{loss}.balance=true", f"{loss}.kind=malis"])


TARGET = "variant.stages.0.heads.affs.target"


@pytest.mark.parametrize(
    ("overrides", "read", "value"),
    [
        # whichever comes first
        (
            ("train.mode.every=250", "train.mode.kind=forkmerge"),
            lambda c: c.train.mode,
            ForkMerge(every=250),
        ),
        # a kind that wants fields which have no default
        (
            ("segment.scoring.kind=hist_quant", "segment.scoring.quantile=75"),
            lambda c: c.segment.scoring,
            Quantile(quantile=75),
        ),
        (
            (
                f"{TARGET}.kernel.radius=30",
                f"{TARGET}.kind=occupancy",
                f"{TARGET}.kernel.kind=ball",
                f"{TARGET}.kernel.voxel_size=(10, 10, 10)",
            ),
            lambda c: c.variant.heads()["affs"].target,
            Occupancy(kernel=Ball(radius=30, voxel_size=(10, 10, 10))),
        ),
        # what is not set, of one of several
        (
            ("dataset.train.0.sharpen.amount=2",),
            lambda c: c.dataset.train[0].sharpen,
            Sharpen(amount=2),
        ),
    ],
)
def test_fields_of_what_the_command_line_chooses(overrides, read, value) -> None:
    assert read(cli.load(CONFIG, overrides)) == value


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ("segment.scoring.kind=hist_quant", "segment.scoring.quantil=75"),
            [
                "segment.scoring: no field 'quantil'; did you mean 'quantile'?",
                "segment.scoring.quantile: it has no default, so give it",
            ],
        ),
        (
            ("segment=5", "segment.decoder.head=x"),
            [
                "segment.decoder: no field 'head'; there are: kind",
                "segment: wants several fields by name: ",
            ],
        ),
    ],
)
def test_fields_that_what_the_command_line_chooses_has_not(overrides, says) -> None:
    with pytest.raises(cli.ConfigError) as error:
        cli.load(CONFIG, overrides)
    for line, begin in zip(str(error.value).splitlines(), says, strict=True):
        assert line.startswith(begin)
