"""Runs the steps of one volume into its container."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.grid import chunk_shape
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import prepare, run, warn_of_edits
from lsd.segmentation.on_disk.lists import SEGMENTATION, begun
from lsd.segmentation.over_blocks.fragments import UNCUT
from lsd.spec import Segment, Workers
from lsd.volumes.array import Array
from lsd.volumes.create import create_array, has_array
from lsd.volumes.levels import How


@dataclass(frozen=True)
class Running:
    """Where the steps of a volume write to, and who is told.

    name:       of the volume
    prediction: whose grid all arrays have
    by_image:   whether its sections are images of their own
    attributes: of arrays whose step has no settings of its own
    progress:   told in a line what was done
    """

    name: str
    container: Path
    prediction: Array
    by_image: bool
    settings: Segment
    attributes: Mapping[str, Any]
    progress: Callable[[str], object]

    def say(self, text: str) -> None:
        """Tells it of the volume."""
        self.progress(f"{self.name}: {text}")

    def step(
        self, step: Step, *, workers: Workers | None = None, maps: Collection[str] = ()
    ) -> Step:
        """Runs a step of the container to its end, with the arrays that it writes; returns it.

        workers: None: those of the settings; maps: those of its arrays that are float32 in 0..1 and
                 no labels
        """
        prepare(step)
        for name in step.arrays:
            is_label = name not in maps and name != UNCUT
            create_array(
                step.container,
                name,
                roi=step.grid.roi,
                voxel_size=self.prediction.voxel_size,
                remainder=self.prediction.remainder,
                calibrated=self.prediction.calibrated,
                dtype=np.uint64 if is_label else np.float32 if name in maps else np.uint8,
                labels=is_label,
                chunks=chunk_shape(step.grid.write_shape),
                # of fragments, those of fragments: they stay when they are joined in another way
                attributes={"settings": step.job.fingerprint().get("settings", self.attributes)},
            )
        workers = workers or self.settings.workers
        summary = run(step, workers=workers, title=f"{self.name} {step.name}")
        if len(step.grid) > 1:
            self.say(str(summary))
        return step

    def levels(self, step: Step, *, maps: Collection[str] = ()) -> None:
        """Coarser levels of the labels that a step wrote, and of its maps."""
        how: dict[str, How] = {
            name: "mean" if name in maps else "majority"
            for name in step.arrays
            if name != UNCUT and has_array(step.container, name)
        }
        for summary in make_levels(
            step,
            how,
            levels=self.settings.levels,
            by_image=self.by_image,
            workers=self.settings.workers,
            title=f"{self.name} {step.name}",
        ):
            self.say(str(summary))

    def levels_of(self, segmentations: Collection[str]) -> None:
        """Coarser levels of segmentations, by what their arrays are called below segmentation/,
        whichever steps wrote them, now or before; which were edited since is told."""
        arrays = {f"{SEGMENTATION}/{name}" for name in segmentations}
        for written in begun(self.container):
            if arrays & {*written.arrays}:
                warn_of_edits(written)
                self.levels(written)
