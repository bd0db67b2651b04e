"""Labels to what a head learns: offsets, affinities, descriptors, boundaries, masks."""
