"""How the losses of several heads are weighed: a file a kind, and `combine` for gradients alone."""

from lsd.losses.weighting.combined import combine

__all__ = ["combine"]
