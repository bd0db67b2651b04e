"""Predict the heads of the volumes that predict.volumes names, in blocks, in this process.

python predicter.py [-c my_config.py] [key=value ...]

It is `lsd predict`.
"""

from lsd.cli.commands.predict import COMMAND

if __name__ == "__main__":
    COMMAND.main()
