"""What a format of exports does with a volume: a class of its own, made from its spec.

class NpyExport(Exporter[Npy]):
    def write(self, volume):
        for image in volume.images:
            np.save(...)
"""

from __future__ import annotations

import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from lsd.blockwise.on_disk.container import delete_torn_files
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import forget_other
from lsd.blockwise.running.run import prepare, run
from lsd.report.images import Image, images_of, segmentation_name
from lsd.segmentation.on_disk.lists import SEGMENTATION
from lsd.segmentation.on_disk.results import Results
from lsd.segmentation.results import open_results
from lsd.spec import Config, Workers
from lsd.spec.exports import ExportFormat
from lsd.spec.kinds import behaviour
from lsd.spec.mistakes import did_you_mean
from lsd.spec.paths import exported
from lsd.system.commands import typed

log = logging.getLogger(__name__)
Format = TypeVar("Format", bound=ExportFormat)
# names of images that any volume may have
_USUAL = ("raw", "truth", "fragments", SEGMENTATION, "objects", "corrected")


@dataclass(frozen=True)
class Running:
    """Runs the steps of a volume.

    name:     of the volume
    progress: told in a line what was done
    """

    name: str
    workers: Workers
    progress: Callable[[str], object]

    def say(self, text: str) -> None:
        """Tells it of the volume."""
        self.progress(f"{self.name}: {text}")

    def run(self, step: Step, *, create: Callable[[], object] = lambda: None) -> Step:
        """Does the blocks of a step, those that are not done yet; returns it.

        create: makes the arrays that it writes, where they are not there
        """
        step.container.mkdir(parents=True, exist_ok=True)
        with exclusive(step.container) as killed:
            if killed:
                delete_torn_files(step.container)
            # what an earlier export began is not waited for
            if differing := forget_other(step):
                log.info("%s is made anew: %s", step.folder, "; ".join(differing))
            prepare(step)
            create()
            self.say(str(run(step, workers=self.workers, title=f"{self.name} {step.name}")))
        return step


@dataclass(frozen=True, eq=False)
class ExportedVolume:
    """A volume of a run, and what of it is exported.

    wanted:    names of the images that are exported
    threshold: of the segmentation; None: of a decoder without thresholds
    """

    config: Config
    wanted: tuple[str, ...]
    threshold: float | None
    running: Running

    @property
    def name(self) -> str:
        """Of the volume."""
        return self.running.name

    @property
    def folder(self) -> Path:
        """Where all of it is written to."""
        return exported(self.config, self.name)

    @cached_property
    def results(self) -> Results:
        """Its segmentation.  Raises ValueError where it is not what the config would give."""
        return open_results(self.config, self.name)

    @cached_property
    def segmentation(self) -> Image:
        """At the threshold.  Raises ValueError where it is not written."""
        # what is on disk is what the config asks for
        results = self.results
        image = self.image(segmentation_name(self.config, self.threshold))
        results.at(self.threshold)
        return image

    @cached_property
    def images(self) -> dict[str, Image]:
        """Those that are exported, by the names of their files."""
        return {
            name: self.segmentation if name == SEGMENTATION else self.image(name)
            for name in self.wanted
        }

    @cached_property
    def _there(self) -> dict[str, Image]:
        return images_of(self.config, self.name)

    def image(self, name: str) -> Image:
        """One of its images.  Raises ValueError, with those that there are, where it is not
        whole."""
        if name not in self._there:
            raise ValueError(f"volume {self.name!r} {self._why_not(name)}")
        return self._there[name]

    def has(self, name: str) -> bool:
        """Whether there is an image of that name, and whole."""
        return name == SEGMENTATION or name in self._there

    def _why_not(self, name: str) -> str:
        """Why there is no image of that name, with the way out."""
        told = f"has no {name!r} that is whole; there are: {', '.join(self._there)}"
        if name.startswith(SEGMENTATION):
            return (
                f"{told}; a threshold that is not among them is written by segmenting again with "
                f"it in segment.thresholds"
            )
        if name == "corrected":
            return f"{told}; it is made with {typed('correct')}"
        return f"{told}{did_you_mean(name, {*self._there, *_USUAL} - {name})}"


class Exporter(ABC, Generic[Format]):
    """See the module."""

    def __init__(self, spec: Format) -> None:
        self.spec = spec

    @abstractmethod
    def write(self, volume: ExportedVolume) -> list[Path]:
        """Writes the volume below `volume.folder`; returns the files and folders that people
        open."""


def remove_other(step: Step) -> None:
    """Removes what an earlier export wrote beside the ledger of a step, where it is not what the
    step would write.  Raises ValueError where the folder holds what this program did not write."""
    folder = step.container
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not step_folder(folder, step.name).exists():
        raise ValueError(
            f"{folder} holds what this program did not write, and is not written over: move it "
            f"elsewhere"
        )
    is_begun = (step.folder / "step.json").exists()
    differing = step.differs(load_step(step.folder)) if is_begun else ["it was not begun"]
    if differing:
        log.info("%s is made anew: %s", folder, "; ".join(differing))
        shutil.rmtree(folder)


def exporter_of(spec: ExportFormat) -> Exporter[ExportFormat]:
    """What a format of exports does."""
    exporter: Exporter[ExportFormat] = behaviour(spec)
    return exporter


__all__ = ["ExportedVolume", "Exporter", "Running", "exporter_of", "remove_other"]
