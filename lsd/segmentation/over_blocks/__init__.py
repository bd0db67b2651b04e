"""What is done with each block of a volume: fragments, what is between them, and segments."""
