"""From predicted heads to segmentations: one file for each decoder."""
