"""Predict the heads of the volumes that predict.volumes names, in blocks, in many processes, here
or on a cluster.

python super_predicter_daisy.py [-c my_config.py] [key=value ...]
e.g. predict.workers.count=8 predict.workers.launch=slurm "predict.workers.options=--gres=gpu:1"
"""

from lsd import cli
from lsd.spec import Config


def command(config: Config) -> None:
    """Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, config.predict.volumes)
    from lsd.prediction.run import crowd, predict

    cli.say("written:", *(str(path) for path in predict(config, workers=crowd(config.predict))))


if __name__ == "__main__":
    cli.main(command, __doc__)
