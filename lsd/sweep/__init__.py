"""Many runs one after another, and a table of what came out.

run      all runs of a `lsd.spec.Sweep`: what is done is skipped, what fails is told
process  one run in a process of its own
chain    what that process does: train, predict, segment, evaluate
pace     how many iterations fit into some minutes, by measured seconds
results  what each run left, and the table
basis    what a result follows from, so that old ones are told from those of now
failure  that a run failed, for other processes of the sweep
"""
