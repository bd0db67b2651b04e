"""`python -m lsd` is the program `lsd`."""

from lsd.cli.program import main

if __name__ == "__main__":
    main()
