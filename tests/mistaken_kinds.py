"""Modules of kinds of one's own with a mistake each: the line that divides by zero."""

BEGIN = """
from typing import ClassVar, Literal
import numpy as np
import torch
from torch import nn
from funlib.geometry import Coordinate
from lsd import spec
from lsd.arrays.offsets import views
from lsd.batches.augmentations.augmentation import AugmentationKind, RawAugmentation
from lsd.batches.augmentations.deform import GeometricAugmentation
from lsd.evaluation.metric import TableMetric
from lsd.evaluation.score import Score
from lsd.losses.loss import HeadLoss
from lsd.network.levels import Levels
from lsd.network.trunks.trunk import Architecture
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.segmentation.scoring.scoring import EdgeScoring
from lsd.targets.activation import Activation
from lsd.targets.target import TargetKind
from lsd.volumes.formats.format import FileArray, FileFormat

class Spec{n}(spec.{family}):
    kind: Literal["{noun}{n}"] = "{noun}{n}"
    behaviour: ClassVar[str] = "{module}:Written"
"""
ACTIVATION = """
class Own(Activation):
    def __call__(self, logits):
        return {call}
    def inverse(self, values):
        return values
"""
SIMPLE = "def channels(self, dims):\n        return 1\n"
COMPUTE = (
    "def compute(self, sample):\n"
    "        return np.zeros((1, *sample.labels.shape), 'f'), sample.inside[None]\n"
)
MADE = "    def __init__(self, spec):\n        1 / 0\n"
DECODER = (
    "class Written(BlockDecoder):\n    def reads(self, settings):\n        return ('affs',)\n"
    "    def segments(self, heads, **options):\n"
)
EDGES = "class Written(EdgeScoring):\n    def scores(self, *arguments, **options):\n"
CHANNEL = f"class Written(TargetKind):\n    {SIMPLE}    {COMPUTE}\n"
LOSS = "class Written(HeadLoss):\n    def forward(self, sample, totals):\n"
TRUNK = """
    dims = property(lambda self: 3)
class Net(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.layer = nn.Conv3d(maps, 2, 3)
    def forward(self, x):
        return self.layer({x})
class Written(Architecture):
    def module(self, in_channels):
        return {module}
    @property
    def levels(self):
        return {levels}
"""
RAW = "class Written(RawAugmentation):\n    def change(self, raw, rng):\n"
FORMAT = """
class Lazy:
    shape, dtype = (3, 4, 5), np.dtype("u1")
    def __getitem__(self, slices):
        return {item}
class Written(FileFormat):
    reads, is_single = "bad file", True
    def claims(self, path):
        return path.suffix == ".bad" and {claims}
    def open(self, path, name):
        return FileArray(Lazy(), files=[path], attrs={attrs})
"""
SCORE = """
class Own(Score):
    objective = property(lambda self: {objective})
    def as_dict(self):
        return {{"a": 1}}
    def pool(self, others):
        return self
    def __str__(self):
        return {text}
class Written(TableMetric):
    def score(self, table, *, ignore, background):
        return {score}
"""


def trunk(**parts) -> str:
    usual = {"x": "x", "module": "Net(in_channels)", "levels": "Levels(kernels=(((3, 3, 3),),))"}
    return TRUNK.format(**usual | parts)


def form(**parts) -> str:
    return FORMAT.format(**{"claims": "True", "attrs": "{}", "item": "3"} | parts)


def score(**parts) -> str:
    return SCORE.format(**{"objective": "1", "text": "'a'", "score": "Own()"} | parts)


MISTAKES = {
    "target: constructor": CHANNEL + MADE,
    "target: channels": CHANNEL.replace("return 1\n", "return 1 / 0\n"),
    "target: context": CHANNEL + "    def context(self, voxel_size):\n        return 1 / 0",
    "target: compute": CHANNEL.replace("np.zeros((1, *sample.labels.shape), 'f')", "1 / 0"),
    "target: remarks": CHANNEL + "    def remarks(self, output, voxel_size):\n        1 / 0",
    "target: activation": ACTIVATION.format(call="1 / 0") + CHANNEL + "    activation = Own()",
    "target: faults": "    def faults(self, dims):\n        return 1 / 0\n" + CHANNEL,
    "loss: constructor": LOSS + "        pass\n" + MADE,
    "loss: totals": LOSS + "        pass\n    def totals(self, sample):\n        1 / 0",
    "loss: forward": LOSS + "        return 1 / 0",
    "loss: misfit": LOSS + "        pass\n    def misfit(self, target):\n        return 1 / 0",
    "trunk: constructor": trunk() + MADE,
    "trunk: levels": trunk(levels="1 / 0"),
    "trunk: module": trunk(module="1 / 0"),
    "trunk: forward": trunk(x="1 / 0"),
    "trunk: forward in a layer": trunk(module="nn.Sequential(Net(in_channels))", x="1 / 0"),
    "augmentation: constructor": RAW + "        return raw\n" + MADE,
    "augmentation: change": RAW + "        return 1 / 0",
    "augmentation: draw": "class Written(GeometricAugmentation):\n"
    "    def draw(self, rng, *, voxel_size, flat):\n        return 1 / 0",
    "augmentation: node": "class Written(AugmentationKind):\n"
    "    def node(self, *, voxel_size, flat):\n        return 1 / 0",
    "format: claims": form(claims="1 / 0"),
    "format: open": form(attrs="1 / 0"),
    "format: read": form(item="1 / 0"),
    "metric: score": score(score="1 / 0"),
    "metric: objective": score(objective="1 / 0"),
    "metric: words": score(text="1 / 0"),
    "decoder: constructor": DECODER + "        pass\n" + MADE,
    "decoder: segments": DECODER + "        1 / 0",
    "scoring: constructor": EDGES + "        pass\n" + MADE,
    "scoring: scores": EDGES + "        return 1 / 0",
    "scoring: name": "    def to_name(self):\n        return 1 / 0\n" + EDGES + "        pass",
}

LACKING = {
    "target": ("channels", f"class Written(TargetKind):\n    {COMPUTE}"),
    "metric": ("score", "class Written(TableMetric):\n    pass\n"),
    "format": ("claims", "class Written(FileFormat):\n    reads = 'a'\n    open = print\n"),
}
# what a method gives, and what is said of it
OTHER = {
    "target: context": (
        CHANNEL + "    def context(self, voxel_size):\n        return 3",
        "context gives 3; it must give a Coordinate, or a tuple",
    ),
    "target: compute": (
        CHANNEL.replace(", sample.inside[None]", ""),
        "compute gives ndarray of shape (1, {shape}); it must give 2 values: Values, Known",
    ),
    "target: arrays": (
        CHANNEL + "    def arrays(self):\n        return 1",
        "arrays gives 1; it must give several values, such as a tuple",
    ),
    "target: values": (
        CHANNEL.replace("'f')", "'d')"),
        "gives values (1, {shape}) float64, known (1, {shape}) bool; wanted: float32 and bool, "
        "both (1, {shape}), as labels are ({shape}) and its method channels gives 1 in 3D",
    ),
    "target: range": (
        CHANNEL.replace("'f')", "'f') + 7"),
        "gives values in 7..7 where they are known, and its activation Sigmoid reaches 0..1; "
        "scale the values, or give the target another activation",
    ),
    "target: class": (
        ACTIVATION.format(call="logits") + CHANNEL + "    activation = Own",
        "its activation is the class Own; write Own(), an instance",
    ),
    "target: text": (
        CHANNEL + "    activation = 'tanh'",
        "its activation is 'tanh'; write an instance of an activation, such as Sigmoid()",
    ),
    "decoder: shape": (
        DECODER + "        return np.ones((2, 4), int)",
        "gives segments of shape (2, 4); wanted: an array of whole numbers of shape (6, 6, 6), "
        "that of the heads without channels",
    ),
    "decoder: negative": (
        DECODER + "        return np.full((6, 6, 6), -1)",
        "ids are 0 (background) or positive, got -1; set what is unknown to 0 and mask it out",
    ),
}
NOTHING = {
    "target: channels": CHANNEL.replace("return 1\n", "pass\n"),
    "loss: forward": LOSS + "        pass",
    "trunk: module": trunk(module="None"),
    "metric: score": score(score="None"),
}
