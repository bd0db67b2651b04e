"""Look at the blocks of a run: how far they are, and whether what says done is there and intact.

python blocks.py status runs/<name>
python blocks.py verify runs/<name>     marks what is missing or damaged as not done; run the script
                                        again to mend it

It is `lsd blocks`.
"""

from lsd.cli.commands.blocks import main

if __name__ == "__main__":
    main()
