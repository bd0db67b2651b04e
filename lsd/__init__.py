"""Local shape descriptors for neuron segmentation: train, predict, segment, evaluate."""

__version__ = "0.1.0"
