"""Runs as files of other programs, and what people corrected in those, coming back."""
