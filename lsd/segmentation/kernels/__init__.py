"""What fragments, agglomeration and the decoders are made of, over arrays."""
