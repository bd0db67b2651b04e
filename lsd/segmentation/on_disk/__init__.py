"""What segmentation leaves on disk: look-up tables, and results read by regions."""
