"""Ours beside its peers: each module measures one thing and prints the ratio; `python -m
benchmarks` runs them all."""
