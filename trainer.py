"""Train every stage of the config's variant; goes on where a killed run stopped.

python trainer.py [-c my_config.py] [key=value ...]
"""

from lsd import cli
from lsd.spec import Config


def command(config: Config) -> None:
    """Imports late, so that a wrong config or file is refused at once."""
    from lsd.volumes.find import check_volumes

    check_volumes(config, ("train", "validate") if config.train.validate_every else ("train",))
    from lsd.training.loop import train

    cli.say("trained:", train(config))


if __name__ == "__main__":
    cli.main(command, __doc__)
