"""Make segmentations from predicted affinities, one for each threshold.

python segment.py [-c my_config.py] [key=value ...]
"""

from lsd import cli
from lsd.spec import Config


def command(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.segmentation.run import segment

    cli.say("written:", *(str(path) for path in segment(config)))


if __name__ == "__main__":
    cli.main(command, __doc__)
