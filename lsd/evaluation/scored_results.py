"""What is scored of a volume: its segmentation, or its objects at located points."""

from __future__ import annotations

from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.on_disk.results import FinalResults, Results
from lsd.segmentation.results import open_results
from lsd.segmentation.stitching import stitched
from lsd.segmentation.stitching.run import ARRAY
from lsd.spec import Config
from lsd.spec.paths import objects
from lsd.system.commands import typed
from lsd.volumes.array import open_array


def scored_results(config: Config, volume: str) -> Results:
    """What `evaluate.of` means of a volume.

    Raises ValueError where it is missing, not whole, or not what the config would give.
    """
    if config.evaluate.of == "segmentation":
        return open_results(config, volume)
    path = objects(config, volume)
    folder = step_folder(path, stitched.STEP)
    if not (folder / "step.json").exists():
        raise ValueError(
            f"there are no objects of volume {volume!r} at {path}; run {typed('objects')} first"
        )
    step = load_step(folder)
    if left(step):
        raise ValueError(f"{path} is not whole; run {typed('objects')} again, which goes on")
    return FinalResults(open_array(path, ARRAY), step.digest)


def has_thresholds(config: Config) -> bool:
    """Whether what is scored has a threshold to be picked."""
    return config.evaluate.of == "segmentation" and decoder_of(config.segment).has_thresholds
