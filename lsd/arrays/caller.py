"""What is strange but not wrong, told to the person who called."""

from __future__ import annotations

import sys
import warnings


def warn_caller(message: str) -> None:
    """Warns at the line outside of this package that led here, once for each such line, as Python's
    warnings do."""
    frame, level = sys._getframe(1), 2
    while (
        frame.f_back is not None
        and frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
