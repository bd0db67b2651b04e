"""The arrays of a volume that people look at: what there is of it in a run, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.blockwise.on_disk.written import is_written
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.on_disk.lists import SEGMENTATION, begun
from lsd.segmentation.over_blocks.fragments import FRAGMENTS
from lsd.segmentation.stitching.run import ARRAY as OBJECTS
from lsd.spec import Config, Spec
from lsd.spec.paths import corrected, data_root, objects, prediction, segmentation
from lsd.volumes import containers
from lsd.volumes.array import Array, open_array
from lsd.volumes.create import has_array
from lsd.volumes.inputs import ArrayInput, ArrayState, VolumeInput
from lsd.volumes.levels import Factor
from lsd.volumes.of_ids import of_ids
from lsd.volumes.scale import at_scale, covering
from lsd.volumes.volume import OpenVolume, open_volume

Of = Literal["raw", "labels", "values"]
# ids as they are on disk, or of images that count their own, those that scores and tables name
Names = Literal["on_disk", "of_scores"]
CORRECTED = "labels"


class ImageInput(Spec):
    """An array as what a block function depends on.

    of:     what its voxels are: raw, ids, or values of a head
    names:  which ids labels of a volume have
    volume: whose raw or labels it is; array: where else it lies
    """

    of: Of
    names: Annotated[Names, Field(exclude_if=lambda names: names == "on_disk")] = "on_disk"
    volume: VolumeInput | None = None
    array: ArrayInput | None = None

    def open(self) -> Array:
        """The array.  Raises ValueError if it is another one by now."""
        if self.array is not None:
            opened_array = self.array.open()
            return opened_array.without_channel() if self.of == "labels" else opened_array
        assert self.volume is not None, "it lies somewhere"
        opened = self.volume.open()
        if self.of == "raw":
            return opened.raw.cropped(opened.roi)
        return truth_of(opened, names=self.names)


class ScoredLabels(Array):
    """Labels of a volume of images under the names that no two images share, as they are scored."""

    def __init__(self, volume: OpenVolume, labels: Array) -> None:
        super().__init__(labels.source, labels.layout, np.dtype(np.uint64), roi=labels.roi)
        self.volume = volume

    def cropped(self, roi: Roi) -> ScoredLabels:
        """The same labels, confined to `roi`, which must lie within."""
        return ScoredLabels(self.volume, super().cropped(roi))

    def _read(self, roi: Roi) -> NDArray[np.generic]:
        return self.volume.read_labels(roi)


@dataclass(frozen=True, eq=False)
class Image:
    """An array of a volume.

    name:     as people ask for it; array: on disk, (c?, z, y, x)
    of:       what its voxels are
    as_input: what makes it an input of a block function; it looks at all of its chunks
    by_image: whether its sections are images of their own, which nobody joins along z
    """

    name: str
    array: Array
    of: Of
    as_input: Callable[[], ImageInput]
    by_image: bool = False

    @property
    def holds_ids(self) -> bool:
        """Whether voxels are ids of segments."""
        return self.of == "labels"

    def level(self, factor: Factor) -> Array:
        """It with `factor` voxels (z, y, x) read as one."""
        return level_of(self.array, factor, self.of)


def level_of(array: Array, factor: Factor, of: Of) -> Array:
    """An array with `factor` voxels (z, y, x) read as one: their mean, or what most of them are."""
    if set(factor) == {1}:
        return array
    coarse = at_scale(array, factor, "majority" if of == "labels" else "mean")
    return coarse.cropped(covering(array.roi, factor))


def images_of(config: Config, volume: str) -> dict[str, Image]:
    """All that there is of a volume, by name, in the order in which it is made: raw, truth, the
    predicted heads, fragments, segmentations ("segmentation/0.5"), objects, corrected.

    What is not there, or not whole, is left out.
    """
    spec = config.dataset.volumes()[volume]
    opened = open_volume(spec, name=volume, data_root=data_root(config))
    found = [
        *_of_volume(opened, data_root(config)),
        *_heads(prediction(config, volume)),
        *_segmentations(segmentation(config, volume)),
        *_objects(objects(config, volume)),
        *_corrected(corrected(config, volume)),
    ]
    by_image = opened.image_sizes is not None
    return {image.name: replace(image, by_image=by_image) for image in found}


def segmentation_name(config: Config, threshold: float | None) -> str:
    """What the segmentation at a threshold is called among the images."""
    decoder = decoder_of(config.segment)
    return decoder.array_name(threshold if decoder.has_thresholds else None)


def _of_volume(volume: OpenVolume, root: Path) -> Iterator[Image]:
    def raw() -> ImageInput:
        return ImageInput(of="raw", volume=VolumeInput.raw(volume, root, roi=volume.roi))

    yield Image("raw", volume.raw.cropped(volume.roi), "raw", raw)
    if volume.labels is not None:
        roi = volume.labels.roi
        names: Names = "of_scores" if volume.spec.names_by_image else "on_disk"

        def truth() -> ImageInput:
            labels = VolumeInput.truth(volume, root, roi=roi)
            return ImageInput(of="labels", names=names, volume=labels)

        yield Image("truth", truth_of(volume, names=names), "labels", truth)


def truth_of(volume: OpenVolume, *, names: Names) -> Array:
    """The labels of a volume that has some."""
    assert volume.labels is not None, "it has labels"
    return volume.labels if names == "on_disk" else ScoredLabels(volume, volume.labels)


def _heads(container: Path) -> Iterator[Image]:
    for name in _whole(container):
        yield image_at(container, name, name, "values")


def _segmentations(container: Path) -> Iterator[Image]:
    if not container.exists():
        return
    if has_array(container, FRAGMENTS) and is_written(container, FRAGMENTS):
        yield image_at(container, FRAGMENTS, FRAGMENTS, "labels")
    names = {name for step in begun(container) for name in step.arrays}
    for name in sorted(names, key=_by_threshold):
        if is_written(container, name):
            yield image_at(container, name, name, "labels")


def _objects(container: Path) -> Iterator[Image]:
    if container.exists() and is_written(container, OBJECTS):
        yield image_at(container, OBJECTS, "objects", "labels")


def _corrected(container: Path) -> Iterator[Image]:
    if container.exists() and is_written(container, CORRECTED):
        yield image_at(container, CORRECTED, "corrected", "labels")


def _whole(container: Path) -> list[str]:
    """Names of the arrays of a container whose blocks are all done."""
    if not container.exists():
        return []
    return [name for name in containers.array_names(container) if is_written(container, name)]


def image_at(container: Path, array: str, name: str, of: Of) -> Image:
    """An array of any container, as people call it.  ValueError for labels that are no ids."""
    opened = open_array(container, array)
    shown = of_ids(opened, "ids") if of == "labels" else opened

    def as_input() -> ImageInput:
        state = ArrayState.of(opened, opened.roi, where=name)
        path, inside = str(container.resolve()), opened.source.name
        return ImageInput(of=of, array=ArrayInput(path=path, name=inside, state=state))

    return Image(name, shown, of, as_input)


def _by_threshold(name: str) -> tuple[float, str]:
    text = name.removeprefix(f"{SEGMENTATION}/")
    try:
        return float(text), name
    except ValueError:
        return float("inf"), name


def read_level(array: Array, roi: Roi) -> NDArray[Any]:
    """Voxels (c, z, y, x) of an array of either number of axes of space: a plane has one
    section."""
    data = array.read(roi)
    if roi.dims == 2:
        data = data[..., None, :, :]
    return data if array.channels else data[None]
