"""What a step leaves on disk: its grid and its job, the ledger of its blocks, the container and its
lock."""
