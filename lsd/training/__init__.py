"""Training: batches from volumes (gunpowder), the loop, checkpoints and resuming, validation."""
