"""From predicted heads to neurons, in this order:

fragments, agglomeration, mutex, lookup   array functions that others import, and their kernels
decoders, scoring                         one file for each kind
over_blocks                               what is done with each block of a volume
run                                       segments the volumes of a run
on_disk, results, threshold               what it leaves, and how later rooms read it
"""
