"""Segmentations at the nodes of skeletons: run lengths, and the edits that repair them."""
