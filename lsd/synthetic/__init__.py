"""A made-up piece of neuropil with its truth: grown, labelled, rendered like electron microscopy.

growth     where neurites run: branching paths that fill the space (walk: one of them)
capsules   paths as tapered capsules, and which two of them are nearest to every voxel
labels     connected ids
organelles mitochondria, vesicles, microtubules, synapses, along the paths
scene      all of it, seen on a grid of voxels
render     its grey values;  microscope: what imaging and serial sectioning add;  noise: smooth
           random fields
skeletons  center lines of the labels, from the paths
"""

from lsd.synthetic.skeletons import skeletons
from lsd.synthetic.synthesize import synthesize

__all__ = ["skeletons", "synthesize"]
