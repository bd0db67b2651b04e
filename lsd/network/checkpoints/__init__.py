"""Checkpoints: all that is known of their files.

checkpoint  one file: written whole or not at all, verified when read
files       the files of a stage: names, the newest, the best, which are deleted
restore     from a file to a network; matching: to one that differs in part
repair      the way back where the newest is damaged
"""
