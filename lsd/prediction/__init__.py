"""Checkpoint and raw -> heads."""
