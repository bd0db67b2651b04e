"""Bring a public data set to the data root; without a name, list what there is.

python fetch.py
python fetch.py mitolab -c config/examples/mitolab.py

It is `lsd fetch`.
"""

from lsd.cli.commands.fetch import main

if __name__ == "__main__":
    main()
