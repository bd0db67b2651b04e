"""Checkpoints: files that are whole or not there, networks restored from them, and the way back
from damage."""
