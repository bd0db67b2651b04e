"""Where `components` is imported from by others; it lives in `lsd.arrays.lookup`."""

from lsd.arrays.lookup import components

__all__ = ["components"]
