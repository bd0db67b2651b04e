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
    Seeds,
    Stage,
    Synthetic,
    Train,
    UNet,
    Variant,
    Volume,
)
from lsd.training.compatibility import check_same


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
    assert "iteration_00000010.pt" in message
    assert "train.iterations" in message.splitlines()[-1]
    assert "dataset.train.1.arrays.skeletons: was None, now 'x'" in message
