"""neuroglancer, where it is installed."""

from __future__ import annotations

from typing import Any


def neuroglancer() -> Any:
    """The package.  Raises ValueError where it is not installed."""
    try:
        import neuroglancer
    except ImportError as error:
        raise ValueError(
            "runs are viewed in neuroglancer, which is not installed: pip install neuroglancer, or "
            "lsd-framework[viewer]"
        ) from error
    return neuroglancer
