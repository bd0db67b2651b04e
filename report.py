"""Write the report of a run, or one of several runs side by side: a page to be read in a browser.

python report.py runs/<name> [runs/<other> ...]

It is `lsd report`.
"""

from lsd.cli.commands.report import main

if __name__ == "__main__":
    main()
