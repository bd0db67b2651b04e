"""Where a segmentation disagrees with what a network predicted; no truth is read."""
