"""A cluster that is made up, for the tests of this folder that ask for one."""

from cluster import cluster

__all__ = ["cluster"]
