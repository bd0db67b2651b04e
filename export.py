"""Write the volumes of a run for other programs.

python export.py runs/NAME [FORMAT ...] [key=value ...]

It is `lsd export`.
"""

from lsd.cli.commands.export import main

if __name__ == "__main__":
    main()
