"""What is seen of a volume in the viewer: a layer for each of its images, its skeletons, and places
of errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.error_map.suspects import Suspect
from lsd.evaluation.error_sites.sites import Site
from lsd.report.images import Image
from lsd.report.viewer.extra import neuroglancer
from lsd.report.viewer.served import dimensions, placed, served
from lsd.volumes.array import Array

_GREY = "#uicontrol invlerp normalized\nvoid main() { emitGrayscale(normalized()); }"
_COLOURS = {"split": "#ffcc00", "merge": "#ff2266"}
# layers of points that are of a segmentation, and no notes of people
OF_A_SEGMENTATION = ("splits", "merges", "suspects")
# skeletons that are shown at first: all would be too much for a browser
_SHOWN = 500


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer, by the name that people see; visible: at first."""

    name: str
    layer: Any
    visible: bool


def image_layer(image: Image, *, visible: bool, raw_range: tuple[float, float]) -> Layer:
    """An image: ids in a colour each, raw in grey, channels of a head as red, green and blue.

    raw_range: raw values that are black and white
    """
    library, source = neuroglancer(), served(image)
    if image.holds_ids:
        return Layer(image.name, library.SegmentationLayer(source=source), visible)
    if image.of == "raw":
        controls = {"normalized": {"range": list(raw_range)}}
        layer = library.ImageLayer(source=source, shader=_GREY, shader_controls=controls)
    else:
        layer = library.ImageLayer(source=source, shader=_channels(image.array), opacity=1.0)
    return Layer(image.name, layer, visible)


def _channels(array: Array) -> str:
    """The first three channels as red, green and blue; one alone is grey."""
    count = min(array.channels or 1, 3)
    if count == 1:
        return "void main() { emitGrayscale(toNormalized(getDataValue())); }"
    values = [f"toNormalized(getDataValue({channel}))" for channel in range(count)]
    colours = ", ".join([*values, "0.0"][:3])
    return f"void main() {{ emitRGB(vec3({colours})); }}"


def skeleton_layer(skeletons: Skeletons, array: Array) -> Layer:
    """Skeletons, each by its id; of very many the first ones are shown, and others when they are
    asked for.

    array: whose voxels they are counted in
    """
    library = neuroglancer()
    names = np.unique(skeletons.skeleton_ids)
    layer = library.SegmentationLayer(source=placed(_source(skeletons, array), array))
    layer.segments = [int(name) for name in names[:_SHOWN]]
    return Layer("skeletons", layer, visible=True)


def _source(skeletons: Skeletons, array: Array) -> Any:
    library = neuroglancer()
    size = np.array(array.voxel_size)
    rest = np.array([float(nm) for nm in array.remainder])

    class Source(library.skeleton.SkeletonSource):  # type: ignore[name-defined, misc]
        """Vertices in voxels, z y x."""

        def __deepcopy__(self, memo: Any) -> Any:
            """Itself: states are copied, data are not."""
            return self

        def get_skeleton(self, object_id: int) -> Any:
            """None where there is none of this id."""
            own = skeletons.kept(skeletons.skeleton_ids == np.uint64(object_id))
            if not len(own):
                return None
            return library.skeleton.Skeleton(
                vertex_positions=(own.positions - rest) / size, edges=own.places
            )

    return Source(dimensions(array))


def site_layers(sites: Sequence[Site], array: Array) -> Iterator[Layer]:
    """Points where segments are split, and where they are merged, worst first."""
    library, size = neuroglancer(), np.array(array.voxel_size)
    for kind, colour in _COLOURS.items():
        own = [site for site in sites if site.kind == kind]
        if own:
            points = [
                library.PointAnnotation(
                    id=f"{kind}-{number}",
                    point=np.array(site.place) / size,
                    description=described(site),
                )
                for number, site in enumerate(own, start=1)
            ]
            layer = library.LocalAnnotationLayer(
                dimensions=dimensions(array), annotations=points, annotation_color=colour
            )
            yield Layer(f"{kind}s", layer, visible=True)


def suspect_layer(suspects: Sequence[Suspect], array: Array) -> Layer:
    """Points where an error map suspects errors, worst first."""
    library, size = neuroglancer(), np.array(array.voxel_size)
    points = [
        library.PointAnnotation(
            id=f"suspect-{number}",
            point=np.array(suspect.place) / size,
            description=f"suspect {number}: segment {suspect.segment}, "
            f"disagreement {suspect.disagreement:.3g} in {suspect.voxels} voxels",
        )
        for number, suspect in enumerate(suspects, start=1)
    ]
    layer = library.LocalAnnotationLayer(
        dimensions=dimensions(array), annotations=points, annotation_color="#33ddff"
    )
    return Layer("suspects", layer, visible=True)


def described(site: Site) -> str:
    """A line about a site: what it costs, and which ids it is about."""
    one, other = site.voxels
    segments, truth = (", ".join(map(str, ids)) for ids in (site.segments, site.truth))
    held = "in no segment" if site.is_lost else f"segment {segments}"
    sizes = f"{one}" if site.is_lost else f"{one} and {other}"
    return f"{site.kind}, {site.bits:.3g} bits: {held}; truth {truth}; {sizes} voxels"
