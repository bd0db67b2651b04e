"""Decoders that say for each voxel how surely it is of an object: what is at a threshold, or above,
is made into objects, at each threshold anew.

    foreground -> pieces -> neighbours -> objects -> segmentation

A list of thresholds that is asked for later has steps of its own from `pieces` on, beside those
that are there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import Slices
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.blockwise.on_disk.written import forget, steps_of
from lsd.segmentation.decoders.decoder import DecoderKind, PredictedValues
from lsd.segmentation.kernels.joining import PIECE
from lsd.segmentation.kernels.prediction import Heads, Thresholded
from lsd.segmentation.objects import objects_of
from lsd.segmentation.on_disk.lists import SEGMENTATION, begun, yet_to_run
from lsd.segmentation.on_disk.results import (
    Results,
    ThresholdResults,
    in_config_words,
    refuse,
    whole_step,
)
from lsd.segmentation.over_blocks.foreground import FOREGROUND, ForegroundJob
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.over_blocks.objects import (
    OWNER,
    LookUpJob,
    ObjectsJob,
    pieces_of,
    places_of,
)
from lsd.segmentation.over_blocks.pieces import (
    NEIGHBOUR,
    NeighboursJob,
    PiecesJob,
    pieces_array,
)
from lsd.segmentation.over_blocks.running import Running
from lsd.spec import Segment
from lsd.spec.answering import title_at
from lsd.spec.plurals import counted
from lsd.volumes.array import open_array, text

# the steps of a list of thresholds, but for the one that writes its segmentations
PIECES, NEIGHBOURS, OBJECTS = "pieces", "neighbours", "objects"


class ThresholdDecoder(DecoderKind):
    """A decoder that says where objects are, between 0 and 1; all else follows from a threshold and
    from segment.objects.

    further: names of the arrays that it gives beside the foreground, see `maps`
    """

    has_thresholds = True
    has_foreground = True
    joins_least = "highest"
    takes = ("objects",)
    pieces = "objects"
    first_step = "foreground"
    further: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def foreground(self, heads: Heads) -> NDArray[np.float32]:
        """How surely each voxel is of an object, (z, y, x), 0 to 1.  It follows from the spec and
        these arguments alone: results on disk are made anew where one of them differs.

        heads: what `reads` names
        """

    def maps(self, heads: Heads) -> dict[str, NDArray[np.float32]]:
        """The foreground, and what else is written beside it, by name."""
        return {FOREGROUND: self.foreground(heads)}

    def context(self, heads: Mapping[str, HeadInput]) -> tuple[int, ...]:
        """Voxels around a voxel that its foreground follows from, along each axis of the network;
        () where it follows from the voxel alone."""
        return ()

    def checked_maps(
        self, heads: Heads, images: Sequence[Slices] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """What `maps` gives, float32.  Raises ValueError where one has another shape than the
        heads.

        images: parts of the heads (z, y, x) that are images of their own: each is looked at alone,
                since nothing was predicted around it, and beyond them there is 0.  None: all is one
        """
        if images is None:
            return self._checked_maps(heads)
        shape = next(iter(heads.values())).values.shape[1:]
        whole = {name: np.zeros(shape, np.float32) for name in (FOREGROUND, *self.further)}
        for image in images:
            alone = {
                name: replace(head, values=head.values[:, *image]) for name, head in heads.items()
            }
            for name, each in self._checked_maps(alone).items():
                whole[name][image] = each
        return whole

    def _checked_maps(self, heads: Heads) -> dict[str, NDArray[np.float32]]:
        shape = next(iter(heads.values())).values.shape[1:]
        maps = {name: np.asarray(each, np.float32) for name, each in self.maps(heads).items()}
        for name, each in maps.items():
            if each.shape != shape:
                title = title_at(self.spec, self, method="foreground")
                raise ValueError(
                    f"{title} gives {name} of shape {each.shape}; wanted: {shape}, that of the "
                    f"heads without channels"
                )
        return maps

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Thresholded:
        """Objects of all, at any threshold.  Raises ValueError for heads that do not fit."""
        wrong = self.misfit({name: head.channels for name, head in heads.items()})
        if wrong:
            raise ValueError(wrong)
        foreground = self.checked_maps(heads)[FOREGROUND]
        known = None if mask is None else np.asarray(mask) != 0
        voxel_size = next(iter(heads.values())).voxel_size
        return Thresholded(
            lambda threshold: objects_of(
                foreground >= float(threshold),
                known,
                settings.objects,
                voxel_size=voxel_size,
            )
        )

    def first(self, inputs: Inputs, container: Path) -> Step:
        """The foreground, and what else `maps` gives."""
        heads = dict(inputs.heads)
        grid = inputs.around(self.context(heads) or (0,) * inputs.roi.dims)
        job = ForegroundJob.of(heads, self.spec, images=inputs.images)
        return Step("foreground", container, grid, job, arrays=(FOREGROUND, *self.further))

    def write(self, inputs: Inputs, running: Running, thresholds: Sequence[float]) -> int:
        """The foreground, and objects at each threshold."""
        container, maps = running.container, (FOREGROUND, *self.further)
        first = running.step(self.first(inputs, container), maps=maps)
        running.levels(first, maps=maps)
        for step in self._of_other_settings(inputs, container):
            removed = [name for name in forget(step) if name.startswith(SEGMENTATION)]
            if removed:
                running.say(f"removed, for they were made otherwise: {', '.join(removed)}")
        names = [repr(float(threshold)) for threshold in thresholds]
        for asked in yet_to_run(container, names):
            ending = asked.step.removeprefix(SEGMENTATION)
            self._run(inputs, running, [float(name) for name in asked.segmentations], ending)
        running.levels_of(names)
        return max(self._tell(inputs, running, set(names)), default=0)

    def _run(
        self, inputs: Inputs, running: Running, thresholds: Sequence[float], ending: str
    ) -> None:
        """The steps of a list of thresholds; ending: of their names."""
        container = running.container
        pieces = running.step(self._pieces(inputs, container, thresholds, ending))
        neighbours = running.step(self._neighbours(inputs, pieces, ending))
        apart = _apart(inputs, thresholds)
        job = ObjectsJob(
            pieces=pieces.name,
            neighbours=neighbours.name,
            made_from=neighbours.digest,
            settings=inputs.settings.objects,
            apart=apart,
        )
        one_block = inputs.one_block()
        objects = running.step(Step(f"{OBJECTS}{ending}", container, one_block, job, rows=OWNER))
        look_up = LookUpJob(
            arrays={
                self.array_name(threshold): inputs.own(container, pieces_array(threshold))
                for threshold in thresholds
            },
            listed=pieces.name,
            owners=objects.name,
            made_from=objects.digest,
            apart=apart,
        )
        arrays = tuple(look_up.arrays)
        running.step(
            Step(f"{SEGMENTATION}{ending}", container, inputs.grid, look_up, arrays=arrays)
        )

    def _pieces(
        self, inputs: Inputs, container: Path, thresholds: Sequence[float], ending: str
    ) -> Step:
        """Pieces of blocks; the foreground is whole."""
        ordered = tuple(sorted(thresholds))
        job = PiecesJob(
            foreground=inputs.own(container, FOREGROUND),
            mask=inputs.mask,
            thresholds=ordered,
            settings=inputs.settings.objects,
            apart=_apart(inputs, ordered),
            made_from=self.first(inputs, container).digest,
        )
        arrays = tuple(map(pieces_array, ordered))
        grid = inputs.around(_looked_around(inputs))
        return Step(f"{PIECES}{ending}", container, grid, job, arrays=arrays, rows=PIECE)

    def _neighbours(self, inputs: Inputs, pieces: Step, ending: str) -> Step:
        """What is one across faces; pieces are whole."""
        job = pieces.job
        assert isinstance(job, PiecesJob), "it was made here"
        wanted = NeighboursJob(
            foreground=job.foreground,
            mask=job.mask,
            thresholds=job.thresholds,
            settings=job.settings,
            apart=job.apart,
            pieces=tuple(
                inputs.own(pieces.container, pieces_array(threshold))
                for threshold in job.thresholds
            ),
            made_from=pieces.digest,
        )
        name = f"{NEIGHBOURS}{ending}"
        return Step(name, pieces.container, pieces.grid, wanted, rows=NEIGHBOUR)

    def _of_other_settings(self, inputs: Inputs, container: Path) -> list[Step]:
        """Steps of pieces on disk that were made otherwise than is asked for now."""
        return [step for step in _lists(container) if self._differences(inputs, step)]

    def _differences(self, inputs: Inputs, pieces: Step) -> list[str]:
        """In what a list of thresholds on disk was made otherwise, in words."""
        thresholds = pieces.job.fingerprint()["thresholds"]
        ending = pieces.name.removeprefix(PIECES)
        wanted = self._pieces(inputs, pieces.container, thresholds, ending)
        return in_config_words(wanted.differs(pieces), settings="objects")

    def _tell(self, inputs: Inputs, running: Running, names: set[str]) -> list[int]:
        """Says how many objects there are at each threshold; returns their numbers."""
        counts, container = [], running.container
        for step in _lists(container):
            thresholds = step.job.fingerprint()["thresholds"]
            if names.isdisjoint(repr(float(threshold)) for threshold in thresholds):
                continue
            places = places_of(container, step.name, apart=_apart(inputs, thresholds))
            of_threshold = pieces_of(container, step.name, places)["threshold"]
            ledger = read_ledger(step_folder(container, step.name.replace(PIECES, OBJECTS, 1)))
            owners = ledger.block_rows(0, OWNER)["object"]
            for number, threshold in enumerate(thresholds):
                if repr(float(threshold)) in names:
                    counts.append(int(owners[of_threshold == number].max(initial=0)))
                    running.say(f"{counted(counts[-1], 'object')} at threshold {threshold}")
        running.say(f"segmented in {text(inputs.roi)}")
        return counts

    def results(self, inputs: Inputs, container: Path) -> Results:
        """The segmentations of all thresholds that there are."""
        first = whole_step(step_folder(container, self.first_step))
        wanted = self.first(inputs, container)
        differences = in_config_words(wanted.differs(first), settings="decoder")
        if not differences:
            lists = _lists(container)
            differences = [line for step in lists for line in self._differences(inputs, step)]
        refuse(container, list(dict.fromkeys(differences)))
        steps = {name: step for step in begun(container) for name in step.arrays}
        return ThresholdResults(container, open_array(container, FOREGROUND), steps)

    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """All that it read."""
        return ForegroundJob.model_validate(record).inputs()

    def strength(self, heads: Heads, settings: Segment) -> NDArray[np.float32]:
        """The foreground."""
        return self.checked_maps(heads)[FOREGROUND]

    def why_nothing(self, values: PredictedValues, settings: Segment) -> str:
        """Nothing is inside, or nothing was kept."""
        lowest = min(settings.thresholds)
        if values.strongest < lowest:
            which = "the lowest" if len(settings.thresholds) > 1 else "the one"
            return (
                f"the foreground, of 0..1, is {values.strongest:.3g} at most, so no voxel reaches "
                f"threshold {lowest:g}, {which} that was used; use a lower one "
                f"(segment.thresholds, of located objects locate.threshold), or train longer"
            )
        return (
            f"the foreground reaches {values.strongest:.3g}, so there are voxels at threshold "
            f"{lowest:g}, but no object of segment.objects.min_size={settings.objects.min_size} "
            f"voxels; make that smaller"
        )


def _lists(container: Path) -> list[Step]:
    """The steps of pieces on disk, one of each list of thresholds."""
    names = [step for step in steps_of(container) if step.name.partition("-")[0] == PIECES]
    return [step for step in names if len(read_ledger(step.folder)) == len(step.grid)]


def _apart(inputs: Inputs, thresholds: Sequence[float]) -> int:
    """How far the ids of two blocks are apart: pieces of all thresholds have ids of their own."""
    return inputs.apart * len(thresholds)


def _looked_around(inputs: Inputs) -> tuple[int, ...]:
    """Voxels around a block that its pieces are made with: one, to see what is closed in; where
    objects are split, those of segment.context."""
    context = inputs.settings.context[-inputs.roi.dims :]
    split = bool(inputs.settings.objects.split)
    return tuple(max(1, n) if split else 1 for n in context)
