"""What the operating system is asked for: files replaced whole, memory, processes, signals."""
