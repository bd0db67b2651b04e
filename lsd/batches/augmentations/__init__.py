"""What is done to a batch before targets are computed: one augmentation a file, and the warp that
joins them."""
