"""One block of a volume: raw from disk, through the network; what workers run, wherever they
are."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.network.checkpoints.restore import Restored, from_checkpoint
from lsd.prediction.images import boxes
from lsd.prediction.plan import Plan
from lsd.prediction.predictor import Predictor
from lsd.spec import Predict
from lsd.spec.effect import NoEffect, Wording
from lsd.system.allocator import keep_freed_memory
from lsd.volumes.inputs import Box, VolumeInput
from lsd.volumes.intensity import signed
from lsd.volumes.volume import OpenVolume

# what this thread has loaded, as long as somebody holds it
_loaded: ContextVar[Callable[[], Restored | None]] = ContextVar("loaded", default=lambda: None)


class HeadsJob(Job):
    """Heads of each block of a volume, by a network; see `HeadsFunction`.

    sha256:   of the checkpoint
    settings: with heads and threads named; roi: (begin, shape) of all that is predicted
    """

    version: Version = 2
    volume: VolumeInput
    checkpoint: Annotated[str, NoEffect("its sha256 says what it holds")]
    sha256: Annotated[str, Wording("the checkpoint is another one")]
    settings: Predict
    roi: Annotated[Box, NoEffect("the blocks are part of every fingerprint")]

    def open(self, container: Path, worker: int) -> HeadsFunction:
        """With a network of its own, on the device of the worker."""
        volume = self.volume.open()
        return (HeadsFunction if volume.image_sizes is None else HeadsOfImages)(
            self, volume, worker
        )


class HeadsFunction:
    """Heads (c, *block.write.shape) of each block, from a checkpoint that is loaded once."""

    def __init__(self, job: HeadsJob, volume: OpenVolume, worker: int) -> None:
        restored = loaded(job.checkpoint, job.sha256)
        self.volume, self.settings = volume, on_device(job.settings, worker)
        self.predictor = Predictor(
            restored.cascade, restored.config.network, settings=self.settings
        )
        self.plan = self.predictor.plan(Roi(*job.roi), voxel_size=self.volume.voxel_size)

    def read(self, block: Block) -> Any:
        """Raw (*block.read.shape) in -1..1, mirrored beyond the volume."""
        return signed(self.volume.read_raw(block.read))

    def compute(self, block: Block, source: Any) -> Output:
        """The heads where the block is written."""
        heads = self.predictor.block(source, self.plan, dtype=self.settings.dtype)
        return Output(
            {name: np.ascontiguousarray(head[:, *block.kept]) for name, head in heads.items()}
        )


class HeadsOfImages(HeadsFunction):
    """The same of images: what they fill of a block is predicted, the rest is the lowest value."""

    def read(self, block: Block) -> list[tuple[Plan, Block, NDArray[np.float32]]]:
        """Raw of each part, mirrored at the border of each image."""
        return [
            (plan, part, signed(self.volume.read_raw(part.read)))
            for plan, part in self._parts(block)
        ]

    def compute(
        self, block: Block, source: list[tuple[Plan, Block, NDArray[np.float32]]]
    ) -> Output:
        """The heads of the parts in their places."""
        whole = self.predictor.nothing(block.write.shape, dtype=self.settings.dtype)
        for plan, part, raw in source:
            inside = (part.write - block.write.begin).to_slices()
            for name, head in self.predictor.block(raw, plan, dtype=self.settings.dtype).items():
                whole[name][:, *inside] = head[:, *part.kept]
        return Output(whole)

    def _parts(self, block: Block) -> Iterator[tuple[Plan, Block]]:
        for roi in boxes(self.volume, block.write):
            plan = self.predictor.plan(roi, voxel_size=self.volume.voxel_size)
            yield from ((plan, part) for part in plan.grid)


def loaded(checkpoint: str, sha256: str) -> Restored:
    """The networks of a checkpoint: those at hand, or loaded now.  Raises ValueError where the file
    is another one by now."""
    keep_freed_memory()
    restored = _loaded.get()()
    if restored is None or restored.sha256 != sha256:
        restored = from_checkpoint(checkpoint)
    if restored.sha256 != sha256:
        raise ValueError(
            f"{checkpoint} was replaced since the run began; name a checkpoint that stays, by its "
            f"path"
        )
    return restored


def at_hand(load: Callable[[], Restored]) -> Restored:
    """What `load` gives; while the caller holds it, blocks that are done from this thread take it,
    rather than load it again.

    To be called before anything is computed, see `one_arena`.
    """
    keep_freed_memory()
    restored = load()
    _loaded.set(weakref.ref(restored))
    return restored


def on_device(settings: Predict, worker: int) -> Predict:
    """Settings with a device for this worker: the GPUs that it sees (a cluster shows it its own)
    are dealt out in turn."""
    if settings.device not in ("auto", "cuda") or not torch.cuda.is_available():
        return settings
    return settings.derive(device=f"cuda:{worker % torch.cuda.device_count()}")
