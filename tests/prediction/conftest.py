"""What tests of predictions share."""

from predicted_run import make

__all__ = ["make"]
