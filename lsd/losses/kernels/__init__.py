"""Compiled loops of structured losses, over numpy arrays; nothing here knows torch."""
