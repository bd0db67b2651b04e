"""List the objects of predicted volumes: a table of points, boxes, sizes and confidences.

python locate.py [-c my_config.py] [key=value ...]

It is `lsd locate`.
"""

from lsd.cli.commands.locate import COMMAND

if __name__ == "__main__":
    COMMAND.main()
