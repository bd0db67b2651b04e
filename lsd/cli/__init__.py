"""The command line: reads a config file and overrides, says what is wrong in a sentence, sets the
exit status.

A config file is Python and is executed: only run files you wrote.  The config.json of a run folder
is data, and can be given in its place.
"""

from lsd.cli.command import Command, guarded, main, say
from lsd.cli.files import load
from lsd.cli.overrides import DEFAULT_CONFIG, DICTIONARIES, override
from lsd.spec.mistakes import ConfigError
from lsd.spec.mistakes import lines as explain

__all__ = [
    "Command",
    "DEFAULT_CONFIG",
    "DICTIONARIES",
    "ConfigError",
    "explain",
    "guarded",
    "load",
    "main",
    "override",
    "say",
]
