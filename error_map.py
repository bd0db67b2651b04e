"""Find where a segmentation may be wrong, without truth: an image of how far it is from what was
predicted, and a table of suspects.

python error_map.py [-c my_config.py] [key=value ...]

It is `lsd error_map`.
"""

from lsd.cli.commands.error_map import COMMAND

if __name__ == "__main__":
    COMMAND.main()
