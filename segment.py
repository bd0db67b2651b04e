"""Make segmentations from predicted affinities, one for each threshold.

python segment.py [-c my_config.py] [key=value ...]

It is `lsd segment`.
"""

from lsd.cli.commands.segment import COMMAND

if __name__ == "__main__":
    COMMAND.main()
