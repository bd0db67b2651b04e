"""Training by several processes, each with a device of its own, that share every batch."""
