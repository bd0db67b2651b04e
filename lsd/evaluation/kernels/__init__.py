"""Loops over the voxels of a block."""
