"""Bring corrections of a segmentation back: a new segmentation, and truth to train on.

python correct.py runs/NAME VOLUME corrections.json [key=value ...]

It is `lsd correct`.
"""

from lsd.cli.commands.correct import main

if __name__ == "__main__":
    main()
