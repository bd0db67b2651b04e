"""Functions over arrays, arrays for each, and what the tests of both kinds share."""

import numpy as np
import torch

from lsd.arrays.lookup import components, relabel
from lsd.evaluation.partition import compare
from lsd.network.cascade import Cascade
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.fragments import fragments
from lsd.segmentation.mutex import mutex
from lsd.spec import NEAREST, Affinities, Head, Network, Predict, Segment, Stage, UNet, Variant
from lsd.targets.affinities import affinities
from lsd.targets.boundary import boundary
from lsd.targets.descriptors import descriptors

SHAPE = (7, 8, 9)
FAR = (*NEAREST, (-2, 0, 0), (0, -3, 0), (0, 0, -3))
RNG = np.random.default_rng(0)
LABELS = np.kron(RNG.integers(0, 4, (3, 3, 3)), np.ones((3, 3, 3), int))[:7, :8, :9].astype(
    np.uint64
)
OTHER = np.roll(LABELS, 1, axis=2)
MASK = RNG.random(SHAPE) < 0.9
AFFS = RNG.random((6, *SHAPE)).astype(np.float32)
EDGES, SCORES = np.array([[1, 2], [2, 3]], np.uint64), np.array([0.2, 0.6], np.float32)
RAW = RNG.uniform(-1, 1, (9, 10, 11)).astype(np.float32)


def _predictor():
    torch.manual_seed(0)
    variant = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))
    trunk = UNet(features=2, multiplier=2, factors=((1, 2, 2),), kernels=((3, 3, 3),))
    settings = Predict(device="cpu", threads=1)
    return Predictor(
        Cascade(variant, trunk), Network(trunk=trunk, train_shape=(9, 10, 10)), settings=settings
    )


PREDICTOR = _predictor()

# name -> (function of some arrays, those arrays)
FUNCTIONS = {
    "descriptors": (lambda labels: descriptors(labels, voxel_size=(8, 8, 8), sigma=20), (LABELS,)),
    "affinities": (lambda labels, mask: affinities(labels, FAR, mask=mask), (LABELS, MASK)),
    "boundary": (lambda labels, mask: boundary(labels, mask=mask), (LABELS, MASK)),
    "fragments": (
        lambda affs, mask: fragments(
            affs,
            mask=mask,
            min_seed_distance=3,
            boundaries="affinity",
            epsilon_agglomerate=0.3,
            filter_fragments=0.1,
        ),
        (AFFS, MASK),
    ),
    "agglomerate mean": (
        lambda affs, labels: agglomerate(affs, labels, neighborhood=FAR),
        (AFFS, LABELS),
    ),
    "agglomerate mean_all": (
        lambda affs, labels: agglomerate(
            affs, labels, neighborhood=FAR, scoring="mean_all", caution=0.2, cautious_above=9
        ),
        (AFFS, LABELS),
    ),
    "agglomerate quantile": (
        lambda affs, labels: agglomerate(affs, labels, neighborhood=FAR, scoring="hist_quant_75"),
        (AFFS, LABELS),
    ),
    "components": (
        lambda nodes, edges, scores: components(nodes, edges, scores, 0.3),
        (np.arange(4), EDGES, SCORES),
    ),
    "relabel": (
        lambda labels, nodes: relabel(labels, nodes, nodes[::-1]),
        (LABELS, np.arange(4, dtype=np.uint64)),
    ),
    "mutex": (lambda affs, mask: mutex(affs, FAR, mask=mask, bias=(0.2, -0.2)), (AFFS, MASK)),
    "decode": (
        lambda affs, mask: decode(affs, FAR, Segment(), mask=mask).segmentation(0.5),
        (AFFS, MASK),
    ),
    "compare": (
        lambda one, other, mask: tuple(compare(one, other, mask=mask).as_dict().values()),
        (LABELS, OTHER, MASK),
    ),
    "predict_array": (lambda raw: predict_array(PREDICTOR, raw)["affs"], (RAW,)),
}

LAYOUTS = {
    "fortran": np.asfortranarray,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "read-only": lambda array: (copy := array.copy(), copy.setflags(write=False))[0],
}


AFFINE = [
    "fragments",
    "agglomerate mean",
    "agglomerate mean_all",
    "agglomerate quantile",
    "mutex",
    "decode",
]


def with_value(array, place, value):
    array = array.astype(np.float32)
    array[place] = value
    return array


def assert_same(one, other):
    """Results of a function, one array or several, are equal in values and dtypes."""
    for a, b in zip(_parts(one), _parts(other), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def _parts(result):
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]
