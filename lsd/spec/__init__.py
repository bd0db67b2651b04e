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
from lsd.spec.decoders import (
    Components,
    Consensus,
    Decoder,
    Doubting,
    Instance,
    Interior,
    MutexWatershed,
    Watershed,
)
from lsd.spec.error_map import ErrorMap
from lsd.spec.evaluate import (
    Benchmark,
    Cremi,
    Evaluate,
    ForegroundOverlap,
    Mcm,
    Metric,
    Nerl,
    ObjectDetection,
    SkeletonScores,
    Voi,
)
from lsd.spec.exports import Export, ExportFormat
from lsd.spec.formats import Format
from lsd.spec.hosts import Hosts
from lsd.spec.images import Images, Split
from lsd.spec.kernels import Ball, Box, Kernel, OffsetList
from lsd.spec.kinds import Kind
from lsd.spec.locate import Locate
from lsd.spec.modes import ForkMerge, Mode, Plain
from lsd.spec.networks import Network, ResidualUNet, Trunk, UNet
from lsd.spec.object_targets import InteriorBoundary, Occupancy, Semantic, SignedDistance
from lsd.spec.run import Precision, Predict, Schedule, Train, Workers
from lsd.spec.sampling import AroundObjects
from lsd.spec.scoring import Mean, MeanAll, Quantile, Scoring, SizeDifference
from lsd.spec.seeds import Seeds
from lsd.spec.segment import Fragments, Mutex, Objects, Scores, Segment
from lsd.spec.skeletons import (
    SkeletonFiles,
    SkeletonFormat,
    SkeletonsOfLabels,
    SkeletonSource,
)
from lsd.spec.stitching import Rule, Stitch
from lsd.spec.sweep import Setting, Sweep
from lsd.spec.synthetic import Somata, Synthetic
from lsd.spec.targets import (
    NEAREST,
    Affinities,
    Boundary,
    Descriptors,
    Embeddings,
    Foreground,
    Mask,
    OfObjects,
    Target,
)
from lsd.spec.variants import (
    Bce,
    CrossEntropy,
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
from lsd.spec.volumes import Dataset, Part, Sharpen, Volume
from lsd.spec.weighting import (
    CosineGate,
    Fixed,
    PCGrad,
    ProjectAuxiliary,
    Uncertainty,
    Weighting,
)

__all__ = [
    "Cremi",
    "Mcm",
    "Nerl",
    "SkeletonScores",
    "SkeletonsOfLabels",
    "NEAREST",
    "Affinities",
    "AroundObjects",
    "Augmentation",
    "Ball",
    "Bce",
    "Benchmark",
    "Boundary",
    "Box",
    "Components",
    "Config",
    "Consensus",
    "Contrast",
    "CosineGate",
    "CrossEntropy",
    "Dataset",
    "Decoder",
    "Defects",
    "Descriptors",
    "Dice",
    "Discriminative",
    "Doubting",
    "Elastic",
    "Embeddings",
    "ErrorMap",
    "Evaluate",
    "Export",
    "ExportFormat",
    "Fixed",
    "Foreground",
    "ForegroundOverlap",
    "ForkMerge",
    "Format",
    "Fragments",
    "GrowBoundary",
    "Head",
    "Hosts",
    "Images",
    "Instance",
    "Intensity",
    "Interior",
    "InteriorBoundary",
    "Kernel",
    "Kind",
    "Locate",
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
    "ObjectDetection",
    "Objects",
    "Occupancy",
    "OfObjects",
    "OffsetList",
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
    "Rule",
    "Schedule",
    "Scores",
    "Scoring",
    "Seeds",
    "Segment",
    "Semantic",
    "Setting",
    "Shape",
    "Sharpen",
    "SignedDistance",
    "Simple",
    "SkeletonFiles",
    "SkeletonFormat",
    "SkeletonSource",
    "SizeDifference",
    "Somata",
    "Spec",
    "Split",
    "Stage",
    "Stitch",
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
