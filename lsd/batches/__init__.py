"""Batches for training, made by gunpowder: sources, augmentations, the pipeline, its workers."""
