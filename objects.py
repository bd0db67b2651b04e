"""Segment objects at located points: from raw to one volume of instances.

python objects.py [-c my_config.py] [key=value ...]

It is `lsd objects`.
"""

from lsd.cli.commands.objects import COMMAND

if __name__ == "__main__":
    COMMAND.main()
