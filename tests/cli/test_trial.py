"""A dry run of training, whose synthetic volumes are not there yet."""

import pytest

from lsd.cli.survey import trial
from lsd.spec import (
    Config,
    Dataset,
    Foreground,
    Head,
    Network,
    ResidualUNet,
    Somata,
    Stage,
    Train,
    Variant,
    Volume,
)
from lsd.volumes import generated


@pytest.mark.parametrize(
    ("seed", "made_shapes"), [(11, [(48, 32, 24)]), (7, [(48, 32, 24), (96, 64, 48)])]
)
def test_a_volume_that_is_read_at_a_scale_is_made_as_large_as_a_sample_takes(
    tmp_path, monkeypatch, seed, made_shapes
) -> None:
    """And larger where there is no cell in that."""
    shapes = []

    def noted(synthetic, folder):
        shapes.append(synthetic.shape)
        return whole(synthetic, folder)

    whole = generated.generate
    monkeypatch.setattr(generated, "generate", noted)
    made = Somata(shape=(96, 96, 96), seed=seed, fraction=0.12)
    volume = Volume(synthetic=made, labels="volumes/labels/somata", scale=(4, 2, 1))
    config = Config(
        name="run",
        dataset=Dataset(train=volume),
        variant=Variant(stages=Stage(heads={"foreground": Head(target=Foreground())})),
        network=Network(
            trunk=ResidualUNet(widths=(4, 8), factors=((2, 2, 2),), context=(0, 0, 0)),
            train_shape=(8, 8, 8),
        ),
        train=Train(iterations=1, workers=0),
        data_root=str(tmp_path),
    )
    batch = trial.sample(config, config.variant.stages[0], raw=(8, 8, 8), output=(8, 8, 8))
    assert shapes == made_shapes
    assert batch.raw.shape[-3:] == (8, 8, 8)
    assert not list(tmp_path.iterdir()), "the volume of the run is yet to be made"
