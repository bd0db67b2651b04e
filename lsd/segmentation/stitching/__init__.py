"""Labelled blocks that overlap, stitched to one volume, over blocks:

boxes, own, joining        where blocks lie, which voxel is whose, which labels are one: arrays
blocks, listed             blocks as they lie on disk, and how they are found there
labels, joins, names, stitched    a step each
run                        the steps of a volume, one after another
"""
