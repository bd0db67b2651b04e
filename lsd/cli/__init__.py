"""The command line: reads a config file and overrides, says what is wrong in a sentence, sets the
exit status.

A config file is Python and is executed: only run files you wrote.  The config.json of a run folder
is data, and can be given in its place.
"""

from lsd.cli.command import Command, guarded, main, say
from lsd.cli.files import load
from lsd.spec.mistakes import ConfigError

__all__ = [
    "Command",
    "ConfigError",
    "guarded",
    "load",
    "main",
    "say",
]
