"""Fragments, agglomeration, look-up tables: from affinities to neurons."""
