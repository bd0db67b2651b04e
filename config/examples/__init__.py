"""Whole configs to start from; each is run with -c."""
