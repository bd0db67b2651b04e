"""What many rooms compute with: ids, offsets, turning and mirroring, union-find, tables of
pairs, memory of what was read."""
