"""What --dry-run says: what a command would do, and about how long it takes.  Nothing on disk is
changed."""
