"""The whole chain on a synthetic volume: train, predict, segment, evaluate; ends with a table,
pictures and the address of a report.

    python demo.py [-c my_config.py] [key=value ...]

The last rows are the same chain fed raw intensity in place of a network's affinities: what a
network is worth here.
"""

from pathlib import Path

from lsd import cli
from lsd.spec import Config

EXAMPLE = Path(__file__).parent / "config" / "examples" / "demo.py"


def command(config: Config) -> None:
    """Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, ("train", "validate", "test"))
    from lsd.evaluation.run import evaluate
    from lsd.prediction.run import predict
    from lsd.report.run import draw_all
    from lsd.report.table import scores_table, skeletons_table
    from lsd.segmentation.run import segment
    from lsd.training.loop import train

    train(config)
    predict(config)
    segment(config)
    evaluation = evaluate(config)
    shown = draw_all(config, evaluation)

    raw = config.derive(name=f"{config.name}_raw")
    predict_raw(raw)
    segment(raw, progress=_quietly)
    baseline = evaluate(raw, progress=_quietly)
    cli.say(f"\n{config.name}: affinities of the network\n{scores_table(evaluation)}")
    if evaluation.skeletons:
        cli.say(f"\nalong skeletons\n{skeletons_table(evaluation)}")
    cli.say(f"\n{raw.name}: raw intensity as affinities\n{scores_table(baseline)}")
    cli.say("\npictures:", *(str(path) for path in shown.files if path.suffix == ".png"))
    cli.say("\nthe report of the run, for a browser:", shown.report.resolve().as_uri())


def _quietly(_: str) -> None:
    """Says nothing of the baseline's progress."""


def predict_raw(config: Config) -> None:
    """Raw intensity in place of affinities: bright inside of neurons, dark on membranes."""
    import numpy as np

    from lsd.spec.paths import data_root, prediction
    from lsd.volumes.create import create_array
    from lsd.volumes.volume import open_volume

    for name, spec in config.dataset.named(config.predict.volumes).items():
        volume = open_volume(spec, name=name, data_root=data_root(config))
        roi, channels = volume.roi, config.network.dims
        affs = create_array(
            prediction(config, name), config.segment.affinities,
            roi=roi, voxel_size=volume.voxel_size, dtype=np.uint8, channels=channels,
            overwrite=True,
        )  # fmt: skip
        affs.write(
            np.stack([(volume.read_raw(roi) * 255).round().astype(np.uint8)] * channels), roi
        )


if __name__ == "__main__":
    cli.main(command, __doc__, default=EXAMPLE)
