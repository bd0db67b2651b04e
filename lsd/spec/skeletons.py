"""Where skeletons come from: files of several formats, the generator of a synthetic volume, or
labels."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from lsd.spec.base import NonNegative, PerAxis, PositiveFloat
from lsd.spec.kinds import Kind

Unit = Literal["nm", "um", "voxel"]
Lengths = Annotated[tuple[float, ...], PerAxis]


class SkeletonFormat(Kind):
    """A file format of skeletons; `lsd.volumes.skeletons.format` says how to write one.

    A file is opened by the format that claims it, so no config names a format.
    """

    noun: ClassVar[str] = "format of skeletons"


class Swc(SkeletonFormat):
    """SWC: a neuron a file, whose name holds the id."""

    kind: Literal["swc"] = "swc"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.swc:SwcFile"


class Nml(SkeletonFormat):
    """NML of Knossos and WEBKNOSSOS."""

    kind: Literal["nml"] = "nml"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.nml:NmlFile"


class GraphMl(SkeletonFormat):
    """GraphML, nodes with position_z, position_y, position_x and id."""

    kind: Literal["graphml"] = "graphml"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.graphml:GraphMlFile"


class NodeLink(SkeletonFormat):
    """JSON as networkx writes it: nodes and links."""

    kind: Literal["node_link"] = "node_link"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.node_link:NodeLinkFile"


class PickledGraph(SkeletonFormat):
    """A pickled networkx graph, which may run any code when it is read."""

    kind: Literal["pickled_graph"] = "pickled_graph"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.pickled:PickledGraphFile"


class PrecomputedSkeletons(SkeletonFormat):
    """Precomputed skeletons of neuroglancer: a folder."""

    kind: Literal["precomputed_skeletons"] = "precomputed_skeletons"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.precomputed:PrecomputedFolder"


class Catmaid(SkeletonFormat):
    """CSV as CATMAID exports it."""

    kind: Literal["catmaid"] = "catmaid"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.catmaid:CatmaidFile"


class SkeletonArrays(SkeletonFormat):
    """Arrays of a .npz file."""

    kind: Literal["skeleton_arrays"] = "skeleton_arrays"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.arrays:ArraysFile"


class SkeletonSource(Kind):
    """Where the skeletons of a volume come from."""

    noun: ClassVar[str] = "source of skeletons"
    default: ClassVar[str] = "files"
    by_name: ClassVar[bool] = True


class SkeletonFiles(SkeletonSource):
    """Files of any format that `lsd.volumes.skeletons` reads.

    path:   of a file, or of a folder of precomputed skeletons, absolute or below the data root;
            with wildcards, as in "neurons/*.swc", of several
    unit:   of the coordinates, where the file does not say it (SWC): "nm", "um" or "voxel", of the
            volume.  Where it contradicts a file, a warning names both
    offset: nm, z y x, that are added to positions
    trust:  whether pickles are read, which may run any code
    """

    kind: Literal["files"] = "files"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.sources:FilesSource"
    path: Annotated[str, Field(min_length=1)]
    unit: Unit | None = None
    offset: Lengths | None = None
    trust: bool = False


class GeneratedSkeletons(SkeletonSource):
    """Those that the generator of a synthetic volume knows."""

    kind: Literal["generated"] = "generated"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.sources:GeneratedSource"


class SkeletonsOfLabels(SkeletonSource):
    """Made from the labels of the volume, where nobody traced it; with kimimaro, an extra.  Made
    once, in memory, and kept in the data root.

    scale, constant: how far around a path no other one begins: scale * (distance to the boundary) +
                     constant nm
    min_size: labels with fewer voxels have no skeleton
    """

    kind: Literal["labels"] = "labels"
    behaviour: ClassVar[str] = "lsd.volumes.skeletons.sources:LabelsSource"
    scale: PositiveFloat = 1.5
    constant: PositiveFloat = 300.0
    min_size: NonNegative = 1000


def _path_alone(value: Any) -> Any:
    """A text that means no source by itself is a path."""
    if isinstance(value, str) and SkeletonSource.from_name(value) is None:
        return {"kind": "files", "path": value}
    return value


# a path alone stands for the files that it names
AnySkeletons = Annotated[SkeletonSource, BeforeValidator(_path_alone)]
