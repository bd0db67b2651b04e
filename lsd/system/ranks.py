"""Which of several equal processes this is: torchrun, and whatever starts processes as it does,
says so in the environment."""

from __future__ import annotations

import os


def rank() -> int | None:
    """The number of this process among those that do the same; None where it was started alone."""
    number = os.environ.get("RANK", "")
    return int(number) if number.isdecimal() and "WORLD_SIZE" in os.environ else None


def is_first() -> bool:
    """Whether this process says what all of them do."""
    return rank() in (None, 0)
