"""Trunks, the cascade of stages, the algebra of their sizes, and checkpoints."""
