"""The two kinds of volumes, a sweep each."""
