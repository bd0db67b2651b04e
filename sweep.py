"""Train, predict, segment and score many settings with several seeds, and print the table that
compares them.

python sweep.py -c config/examples/sweep.py [--seeds 1,2,3] [--minutes 10] [key=value ...]

It is `lsd sweep`.
"""

from lsd.cli.commands.sweep import main

if __name__ == "__main__":
    main()
