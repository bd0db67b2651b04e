"""What people call in a notebook: volumes, networks and segmentations over arrays in memory."""
