"""How good a segmentation is, against the truth."""
