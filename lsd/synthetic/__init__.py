"""Made-up volumes with their truth: grown, labelled, rendered like electron microscopy.

synthesize any of them, as arrays or part by part;  generator: what a kind of them says

Neuropil, which is grown as a whole:
neuropil   raw and labels;  tissue: what is grown, and the grid that it is seen on
growth     where neurites run: branching paths that fill the space (walk: one of them)
capsules   paths as tapered capsules, and which two of them are nearest to every voxel
labels     connected ids
organelles mitochondria, vesicles, microtubules, synapses, along the paths
scene      all of it, seen on a grid of voxels
render     its grey values;  microscope: what imaging and serial sectioning add;  noise: smooth
           random fields
centerlines  skeletons of the labels, from the paths

Somata, which are made block by block:
somata     raw and labels of a block
lattice    random numbers and fields that follow from a place
cells      where cell bodies and nuclei are;  tangle: the neurites around them
"""

from lsd.synthetic.generator import Generator, Part
from lsd.synthetic.synthesize import parts, skeletons, synthesize

__all__ = ["Generator", "Part", "parts", "skeletons", "synthesize"]
