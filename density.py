"""Density along the axes and sizes of the objects of a table: a figure and a CSV file.

python density.py runs/<name>/located/<volume>.csv

It is `lsd density`.
"""

from lsd.cli.commands.density import main

if __name__ == "__main__":
    main()
