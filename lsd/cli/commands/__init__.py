"""The commands, a file each: what a script of the top level runs is what `lsd NAME` runs."""
