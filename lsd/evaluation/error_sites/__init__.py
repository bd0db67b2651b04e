"""The worst splits and merges of a segmentation, and where they are."""
