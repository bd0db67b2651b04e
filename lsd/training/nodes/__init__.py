"""The nodes of the training pipeline, one a file, each with its array function beside it."""
