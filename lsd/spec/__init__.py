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
from lsd.spec.decoders import Decoder, MutexWatershed, Watershed
from lsd.spec.evaluate import Evaluate, Metric, Voi
from lsd.spec.kinds import Kind
from lsd.spec.networks import Network, ResidualUNet, Trunk, UNet
from lsd.spec.run import Precision, Predict, Schedule, Train, Workers
from lsd.spec.scoring import Mean, MeanAll, Quantile, Scoring, SizeDifference
from lsd.spec.segment import Fragments, Mutex, Scores, Segment
from lsd.spec.targets import (
    NEAREST,
    Affinities,
    Boundary,
    Descriptors,
    Embeddings,
    Foreground,
    Mask,
    Target,
)
from lsd.spec.variants import (
    Bce,
    Dice,
    Discriminative,
    Head,
    Loss,
    Malis,
    Mse,
    Stage,
    Supervoxel,
    Variant,
)
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
    "Decoder",
    "Defects",
    "Descriptors",
    "Dice",
    "Discriminative",
    "Elastic",
    "Embeddings",
    "Evaluate",
    "Foreground",
    "Format",
    "Fragments",
    "GrowBoundary",
    "Head",
    "Intensity",
    "Kind",
    "Loss",
    "Malis",
    "Mask",
    "Mean",
    "MeanAll",
    "Metric",
    "Mse",
    "Mutex",
    "MutexWatershed",
    "Network",
    "Noise",
    "Part",
    "Precision",
    "Predict",
    "Quantile",
    "Range",
    "Region",
    "ResidualUNet",
    "Schedule",
    "Scores",
    "Scoring",
    "Segment",
    "Shape",
    "Sharpen",
    "Simple",
    "SizeDifference",
    "Spec",
    "Stage",
    "Supervoxel",
    "Synthetic",
    "Target",
    "Train",
    "Trunk",
    "UNet",
    "Variant",
    "Voi",
    "Volume",
    "Watershed",
    "Workers",
]
