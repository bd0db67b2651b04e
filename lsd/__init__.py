"""Local shape descriptors for neuron segmentation: train, predict, segment, evaluate.

For notebooks and scripts, `import lsd` gives functions over numpy arrays, and losses for training
loops in torch.  Each is loaded when it is first used, and help(lsd.segment) says how to use it:

    lsd.open_volume     raw and labels of a zarr, N5, HDF5 or TIFF file
    lsd.descriptors     local shape descriptors of labels
    lsd.affinities      affinities of labels
    lsd.occupancy       local occupancy vectors of labels
    lsd.consensus       and what all of them say of a voxel
    lsd.load            a trained network: load("best.pt").predict(raw, voxel_size=(10, 10, 10))
    lsd.segment         a segmentation from affinities
    lsd.fragments       its first half: supervoxels
    lsd.agglomerate     its second half: which of them belong together, and how surely
    lsd.locate          where its objects lie, how large they are, and how sure
    lsd.compare         scores of a segmentation against the truth
    lsd.error_sites     its worst splits and merges, and where they are
    lsd.MalisLoss       for a training loop of your own: constrained MALIS of affinities,
    lsd.SupervoxelLoss  cross entropy that counts splits and merges more,
    lsd.EmbeddingLoss   and dense voxel embeddings
    lsd.spec            the types of a config: everything that can be set

Volumes that do not fit into memory are for the commands (`lsd train`, `lsd predict`, ...).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsd import spec as spec
    from lsd.evaluation.error_sites.placing import error_sites as error_sites
    from lsd.evaluation.partition import compare as compare
    from lsd.losses.modules import EmbeddingLoss as EmbeddingLoss
    from lsd.losses.modules import MalisLoss as MalisLoss
    from lsd.losses.modules import SupervoxelLoss as SupervoxelLoss
    from lsd.notebook.network import load as load
    from lsd.notebook.segmentation import segment as segment
    from lsd.notebook.volume import open_volume as open_volume
    from lsd.objects.locate import locate as locate
    from lsd.segmentation.agglomeration import agglomerate as agglomerate
    from lsd.segmentation.fragments import fragments as fragments
    from lsd.targets.affinities import affinities as affinities
    from lsd.targets.descriptors import descriptors as descriptors
    from lsd.targets.occupancy import consensus as consensus
    from lsd.targets.occupancy import occupancy as occupancy

__version__ = "0.1.0"

__all__ = [
    "EmbeddingLoss",
    "MalisLoss",
    "SupervoxelLoss",
    "affinities",
    "agglomerate",
    "compare",
    "consensus",
    "descriptors",
    "error_sites",
    "fragments",
    "load",
    "locate",
    "occupancy",
    "open_volume",
    "segment",
    "spec",
]

# the module that each function or class is defined in
_HOMES = {
    "EmbeddingLoss": "lsd.losses.modules",
    "MalisLoss": "lsd.losses.modules",
    "SupervoxelLoss": "lsd.losses.modules",
    "affinities": "lsd.targets.affinities",
    "agglomerate": "lsd.segmentation.agglomeration",
    "compare": "lsd.evaluation.partition",
    "consensus": "lsd.targets.occupancy",
    "descriptors": "lsd.targets.descriptors",
    "error_sites": "lsd.evaluation.error_sites.placing",
    "fragments": "lsd.segmentation.fragments",
    "load": "lsd.notebook.network",
    "locate": "lsd.objects.locate",
    "occupancy": "lsd.targets.occupancy",
    "open_volume": "lsd.notebook.volume",
    "segment": "lsd.notebook.segmentation",
}


def __getattr__(name: str) -> Any:
    """Loads a function when it is first asked for: importing lsd alone takes no time."""
    if name == "spec":
        return importlib.import_module("lsd.spec")
    if name not in _HOMES:
        raise AttributeError(f"module 'lsd' has no {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What is there for use, loaded or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
