"""A made-up piece of neuropil with its truth: grown, labelled, rendered like electron microscopy.

growth     where neurites run: branching paths that fill the space (walk: one of them)
capsules   paths as tapered capsules, and which two of them are nearest to every voxel
labels     connected ids
organelles mitochondria, vesicles, microtubules, synapses, along the paths
render     grey values;  sections: what serial sectioning adds;  noise: smooth random fields
"""

from lsd.volumes.synthetic.synthesize import synthesize

__all__ = ["synthesize"]
