"""How a segmentation is scored: one file a metric."""
