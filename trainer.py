"""Train every stage of the config's variant; goes on where a killed run stopped.

python trainer.py [-c my_config.py] [key=value ...]

It is `lsd train`.
"""

from lsd.cli.commands.train import COMMAND

if __name__ == "__main__":
    COMMAND.main()
