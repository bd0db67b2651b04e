import re

import pytest

from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    ErrorMap,
    Evaluate,
    Head,
    Locate,
    Network,
    ResidualUNet,
    Seeds,
    Stage,
    Synthetic,
    Train,
    UNet,
    Variant,
    Volume,
)
from lsd.training.compatibility import check_same, differing_fields


def _config(**changes):
    fields = {
        "name": "a",
        "dataset": Dataset(train=(Volume(synthetic=Synthetic()),)),
        "variant": Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        "network": Network(trunk=UNet(), train_shape=(196, 196, 196)),
        "train": Train(iterations=10),
    }
    return Config(**(fields | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "b", "runs": "elsewhere", "data_root": "/data"},
        {
            "train": Train(
                iterations=20,
                checkpoint_every=5,
                keep=9,
                log_every=1,
                snapshot_every=2,
                validate_every=3,
            )
        },
        {"train": Train(iterations=10, workers=7, device="cpu", threads=3)},
        {"evaluate": Evaluate(connected=True)},
        {"error_map": ErrorMap(suspects=7)},
        {"locate": Locate(threshold=0.3, min_size=7)},
        {"seeds": Seeds(window=(32, 32, 32), threshold=0.3)},
        {"dataset": Dataset(train=(Volume(synthetic=Synthetic(), skeletons="generated"),))},
        {"dataset": Dataset(train=(Volume(synthetic=Synthetic(), skeletons="lines.npz"),))},
    ],
)
def test_free_fields_may_change(changes) -> None:
    check_same(_config(), _config(**changes), where="a.pt")


def test_every_other_difference_is_named_with_both_values() -> None:
    changed = _config(
        train=Train(iterations=10, learning_rate=0.5),
        network=Network(trunk=UNet(features=3), train_shape=(196, 196, 196)),
        dataset=Dataset(
            train=(
                Volume(synthetic=Synthetic(seed=4), scale=(1, 2, 2)),
                Volume(synthetic=Synthetic(), name="more", arrays={"skeletons": "x"}),
            )
        ),
    )
    with pytest.raises(ValueError) as error:
        check_same(_config(), changed, where="runs/a/main/checkpoints/iteration_00000010.pt")
    message = str(error.value)
    assert "train.learning_rate: was 5e-05, now 0.5" in message
    assert "network.trunk.features: was 12, now 3" in message
    assert "dataset.train.0.synthetic.seed: was 0, now 4" in message
    assert "dataset.train.0.scale.1: was None, now 2" in message
    assert "dataset.train.1.name: was None, now 'more'" in message
    # a volume has more fields than a message names
    assert ("dataset.train.1.arrays.skeletons", None, "x") in differing_fields(_config(), changed)
    assert "iteration_00000010.pt" in message
    assert "train.iterations" in message.splitlines()[-1]


def test_of_many_fields_those_that_lie_least_deep_are_named_and_the_others_counted() -> None:
    folded = Network(trunk=ResidualUNet(), train_shape=(96, 96, 96))
    other = _config(network=folded, train=Train(iterations=10, seed=3), dataset=Dataset(
        train=(Volume(path="a.zarr", raw="raw", labels="labels"),)
    ))  # fmt: skip
    with pytest.raises(ValueError, match="differs from the one") as caught:
        check_same(_config(), other, where="a.pt")
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert "train.seed: was 0, now 3" in lines
    assert len(lines) == 1 + 12 + 1 + 1
    [counted] = [line for line in lines if re.fullmatch(r"and \d+ more", line)]
    both = differing_fields(_config(), other)
    assert int(counted.split()[1]) == len(list(both)) - 12
