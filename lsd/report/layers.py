"""What of a volume can be looked at: raw, truth, predicted heads and segmentation, each a picture
of any section, read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.evaluation.scored_results import has_thresholds, scored_results
from lsd.report.colours import Picture, boundaries, called, channels_as_colours, colours
from lsd.report.neurons import Neuron
from lsd.report.recorded import Recorded
from lsd.segmentation.on_disk.results import Results
from lsd.spec import Config
from lsd.spec.paths import data_root, prediction
from lsd.volumes import containers
from lsd.volumes.array import Array, open_array
from lsd.volumes.volume import OpenVolume, open_volume

Read = Callable[[Roi], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Layer:
    """Something that is seen.

    title: a word or two;  about: what its colours mean
    read:  an array of a region of one voxel along one axis, as `draw` takes it
    draw:  a picture (y, x, 3) in 0..1 of the array, whose flat axis is gone
    exact: whether each colour means something
    """

    title: str
    about: str
    read: Read
    draw: Callable[[NDArray[Any]], Picture]
    exact: bool

    def picture(self, roi: Roi, across: int, *, factors: tuple[int, int] = (1, 1)) -> Picture:
        """The picture of a section.

        across:  the axis that it has one voxel of; -1: it is 2D
        factors: pixels of a voxel down and to the right, so that lines between labels are thin;
                 what has no lines is not enlarged
        """
        data = self.read(roi)
        section = data if across < 0 else data.take(0, axis=data.ndim - roi.dims + across)
        if not self.exact:
            return self.draw(section)
        return self.draw(section.repeat(factors[0], axis=-2).repeat(factors[1], axis=-1))


def volume_of(recorded: Recorded, name: str) -> OpenVolume:
    """A volume of the run.  Raises ValueError where config.json does not know it, or it is gone."""
    volumes = recorded.config.dataset.volumes()
    if name not in volumes:
        raise ValueError(
            f"volume {name!r} is none of config.json, which is as the run was trained; evaluate "
            f"again to have its pictures"
        )
    return open_volume(volumes[name], name=name, data_root=data_root(recorded.config))


def layers(recorded: Recorded, volume: OpenVolume) -> tuple[list[Layer], list[str]]:
    """What there is of a volume, in the order of the work; and a sentence for what cannot be
    read."""
    problems: list[str] = []
    found = [
        Layer("raw", "brightness of raw", lambda roi: shown_raw(volume, roi), _grey, exact=False)
    ]
    if volume.labels is not None:
        found.append(
            Layer(
                "truth", "a colour for each neuron", volume.read_labels, label_colours, exact=True
            )
        )
    try:
        found += _heads(recorded.config, volume.name)
    except (ValueError, OSError) as error:
        problems.append(str(error))
    try:
        found.append(segmentation_layer(recorded, volume.name))
    except (ValueError, OSError) as error:
        problems.append(str(error))
    return found, problems


def shown_raw(volume: OpenVolume, roi: Roi) -> NDArray[np.float32]:
    """Raw of a region, black beyond an image: what networks see there, its mirror image, is not
    there."""
    raw = volume.read_raw(roi)
    if volume.image_sizes is not None:
        raw[~volume.read_inside(roi)] = 0
    return raw


def segmentation_layer(recorded: Recorded, name: str, *, title: str = "segmentation") -> Layer:
    """The segments that were scored, at the threshold that was picked.

    Raises ValueError where there is none, or it is another than the one that was scored.
    """
    threshold = recorded.threshold
    if threshold is None and has_thresholds(recorded.config):
        raise ValueError("no threshold was picked, so there is no one segmentation to be shown")
    results = scored_results(recorded.config, name)
    own = _own_names(recorded, name)
    about = "segments" if threshold is None else f"segments at threshold {threshold:g}"
    if own:
        about += "; one that is mostly of a neuron has the colour that it has in the truth"

    def draw(ids: NDArray[Any]) -> Picture:
        return label_colours(ids, colours(called(ids, _names(ids, own))))

    return Layer(title, about, _reader(results, threshold), draw, exact=True)


def label_colours(ids: NDArray[Any], palette: Picture | None = None) -> Picture:
    """Labels (y, x) in colours, dark where they touch: (y, x, 3).

    palette: their colours, where these are not those of the ids; lines are between ids
    """
    own = colours(ids) if palette is None else palette
    return np.where(boundaries(ids)[..., None], 0.15 * own, own).astype(np.float32)


def _reader(results: Results, threshold: float | None) -> Read:
    return lambda roi: results.read(roi, threshold)


def _own_names(recorded: Recorded, name: str) -> Mapping[int, int]:
    """The object that a segment is the largest of and mostly is, by segment.

    Pieces of a truth that was relabelled have other names than the labels on disk.
    """
    rows: list[Neuron] = (
        []
        if recorded.config.evaluate.connected or not recorded.names_segments_of(name)
        else [row for row in recorded.neurons.get(name, ()) if row.largest and row.is_named]
    )
    return {row.largest: row.object for row in rows}


def _names(ids: NDArray[Any], own: Mapping[int, int]) -> NDArray[np.uint64]:
    """Of each id, 0 where it has none."""
    unique, place = np.unique(ids, return_inverse=True)
    names = np.array([own.get(one, 0) for one in unique.tolist()], np.uint64)
    return names[place].reshape(ids.shape)


def _heads(config: Config, name: str) -> Iterator[Layer]:
    path = prediction(config, name)
    if not path.exists():
        raise ValueError(f"there is no prediction of volume {name!r} at {path} any more")
    for head in sorted(containers.array_names(path), key=_order):
        array = open_array(path, head)
        if array.channels is not None:
            yield _head(head, array)


def _order(head: str) -> tuple[bool, str]:
    """Affinities, which are what is segmented, before all others."""
    return (not head.startswith("aff"), head)


def _head(name: str, array: Array) -> Layer:
    low, high = array.source.handle.attrs.get("prediction", {}).get("range", _usual(array))
    shown = min(array.channels or 1, 3)
    about = f"the first {shown} of {array.channels} channels as red, green and blue"
    if shown < 3:
        about = f"{array.channels} channel{'s' if shown > 1 else ''}"
    title = TITLES.get(name, name)

    def draw(values: NDArray[Any]) -> Picture:
        return channels_as_colours((values[:3].astype(np.float32) - low) / max(high - low, 1e-6))

    def read(roi: Roi) -> NDArray[Any]:
        return array.read(roi, beyond="zero")

    return Layer(title, f"head {name}: {about}", read, draw, exact=False)


# of heads as the examples call them
TITLES = {"affs": "affinities", "lsds": "descriptors"}


def _usual(array: Array) -> tuple[float, float]:
    return (0, 255) if array.dtype == np.uint8 else (0, 1)


def _grey(raw: NDArray[Any]) -> Picture:
    return np.repeat(np.clip(raw, 0, 1)[..., None], 3, axis=-1).astype(np.float32)
