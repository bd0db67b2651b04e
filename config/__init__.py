"""The files users edit: config.py names a dataset, a variant and a network of the dictionaries
beside it."""
