"""Score segmentations against the truth: validation picks the threshold, test is scored with it;
table, JSON and figures.

python evaluate.py [-c my_config.py] [key=value ...]

It is `lsd evaluate`.
"""

from lsd.cli.commands.evaluate import COMMAND

if __name__ == "__main__":
    COMMAND.main()
