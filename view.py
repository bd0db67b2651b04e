"""Look at a run in neuroglancer.

python view.py runs/NAME [VOLUME] [--open] [--screenshot FILE] [key=value ...]

It is `lsd view`.
"""

from lsd.cli.commands.view import main

if __name__ == "__main__":
    main()
