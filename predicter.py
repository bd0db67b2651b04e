"""Predict the heads of the volumes that predict.volumes names, in blocks, in this process.

python predicter.py [-c my_config.py] [key=value ...]
"""

from lsd import cli
from lsd.spec import Config


def command(config: Config) -> None:
    """Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, config.predict.volumes)
    from lsd.prediction.run import predict

    cli.say("written:", *(str(path) for path in predict(config)))


if __name__ == "__main__":
    cli.main(command, __doc__)
