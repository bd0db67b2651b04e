"""Skeletons on disk: one format a file of this package, where they come from, and labels at their
nodes."""

from lsd.volumes.skeletons.files import read_skeletons, write_skeletons

__all__ = ["read_skeletons", "write_skeletons"]
