"""The frozen types of a config: plain data, no callables, standard library and pydantic only."""

from lsd.spec.augment import (
    Augmentation,
    Contrast,
    Defects,
    Elastic,
    GrowBoundary,
    Intensity,
    Noise,
    Simple,
)
from lsd.spec.base import Range, Region, Shape, Spec
from lsd.spec.config import Config
from lsd.spec.kinds import Kind
from lsd.spec.networks import Network, ResidualUNet, Trunk, UNet
from lsd.spec.run import (
    Evaluate,
    Fragments,
    Mutex,
    Precision,
    Predict,
    Schedule,
    Segment,
    Train,
    Workers,
)
from lsd.spec.targets import NEAREST, Affinities, Boundary, Descriptors, Mask, Target
from lsd.spec.variants import Bce, Head, Loss, Mse, Stage, Variant
from lsd.spec.volumes import Dataset, Format, Part, Sharpen, Synthetic, Volume

__all__ = [
    "NEAREST",
    "Affinities",
    "Augmentation",
    "Bce",
    "Boundary",
    "Config",
    "Contrast",
    "Dataset",
    "Defects",
    "Descriptors",
    "Elastic",
    "Evaluate",
    "Format",
    "Fragments",
    "GrowBoundary",
    "Head",
    "Intensity",
    "Kind",
    "Loss",
    "Mask",
    "Mse",
    "Mutex",
    "Network",
    "Noise",
    "Part",
    "Precision",
    "Predict",
    "Range",
    "Region",
    "ResidualUNet",
    "Schedule",
    "Segment",
    "Shape",
    "Sharpen",
    "Simple",
    "Spec",
    "Stage",
    "Synthetic",
    "Target",
    "Train",
    "Trunk",
    "UNet",
    "Variant",
    "Volume",
    "Workers",
]
