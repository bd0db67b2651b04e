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
from lsd.spec.hosts import Hosts
from lsd.spec.kinds import Kind
from lsd.spec.modes import ForkMerge, Mode, Plain
from lsd.spec.networks import Network, ResidualUNet, Trunk, UNet
from lsd.spec.run import Precision, Predict, Schedule, Train, Workers
from lsd.spec.scoring import Mean, MeanAll, Quantile, Scoring, SizeDifference
from lsd.spec.segment import Fragments, Mutex, Scores, Segment
from lsd.spec.skeletons import SkeletonFiles, SkeletonFormat, SkeletonSource
from lsd.spec.sweep import Setting, Sweep
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
from lsd.spec.weighting import (
    CosineGate,
    Fixed,
    PCGrad,
    ProjectAuxiliary,
    Uncertainty,
    Weighting,
)

__all__ = [
    "NEAREST",
    "Affinities",
    "Augmentation",
    "Bce",
    "Boundary",
    "Config",
    "Contrast",
    "CosineGate",
    "Dataset",
    "Decoder",
    "Defects",
    "Descriptors",
    "Dice",
    "Discriminative",
    "Elastic",
    "Embeddings",
    "Evaluate",
    "Fixed",
    "Foreground",
    "ForkMerge",
    "Format",
    "Fragments",
    "GrowBoundary",
    "Head",
    "Hosts",
    "Intensity",
    "Kind",
    "Loss",
    "Malis",
    "Mask",
    "Mean",
    "MeanAll",
    "Metric",
    "Mode",
    "Mse",
    "Mutex",
    "MutexWatershed",
    "Network",
    "Noise",
    "PCGrad",
    "Part",
    "Plain",
    "Precision",
    "Predict",
    "ProjectAuxiliary",
    "Quantile",
    "Range",
    "Region",
    "ResidualUNet",
    "Schedule",
    "Scores",
    "Scoring",
    "Segment",
    "Setting",
    "Shape",
    "Sharpen",
    "Simple",
    "SkeletonFiles",
    "SkeletonFormat",
    "SkeletonSource",
    "SizeDifference",
    "Spec",
    "Stage",
    "Supervoxel",
    "Sweep",
    "Synthetic",
    "Target",
    "Train",
    "Trunk",
    "UNet",
    "Uncertainty",
    "Variant",
    "Voi",
    "Volume",
    "Watershed",
    "Weighting",
    "Workers",
]
