"""Where data comes from: volumes on disk or synthetic, and the datasets that group them."""

from __future__ import annotations

import glob
import warnings
from collections import Counter
from pathlib import PurePath
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from lsd.spec.augment import Augmentation
from lsd.spec.base import (
    MOST,
    Id,
    PerAxis,
    PositiveFloat,
    Region,
    SeveralKinds,
    SeveralSpecs,
    Shape,
    Spec,
)
from lsd.spec.effect import NoEffect
from lsd.spec.error_place import CHOSEN
from lsd.spec.kinds import Kind
from lsd.spec.names import fault
from lsd.spec.plurals import counted
from lsd.spec.skeletons import AnySkeletons
from lsd.spec.user_paths import with_variables

VoxelSize = Annotated[tuple[PositiveFloat, ...], PerAxis]
Lengths = Annotated[tuple[float, ...], PerAxis]
RawRange = tuple[float, float]
Name = Annotated[str, Field(min_length=1)]
Part = Literal["train", "validate", "test"]
# one value for all arrays of a volume, or values by their names; what is wrong is told of the one
# that was meant
Value = TypeVar("Value")
_All = Annotated[Value, Tag(f"{CHOSEN}all")]
_ByName = Annotated[dict[str, Value], Tag(f"{CHOSEN}by name")]
_CHOICE = Discriminator(lambda value: f"{CHOSEN}{'by name' if isinstance(value, dict) else 'all'}")


class Format(Kind):
    """A file format of arrays; `lsd.volumes.formats.format` says how to write one.

    A file is opened by the format that claims it, so no volume names its format.
    """

    noun: ClassVar[str] = "format"


class Zarr2(Format):
    """zarr v2 folders, with OME-Zarr metadata or without."""

    kind: Literal["zarr"] = "zarr"
    behaviour: ClassVar[str] = "lsd.volumes.formats.zarr2:ZarrFormat"


class Hdf5(Format):
    """HDF5 files."""

    kind: Literal["hdf5"] = "hdf5"
    behaviour: ClassVar[str] = "lsd.volumes.formats.hdf5:Hdf5Format"


class Tiff(Format):
    """TIFF files."""

    kind: Literal["tiff"] = "tiff"
    behaviour: ClassVar[str] = "lsd.volumes.formats.tiff:TiffFormat"


class Synthetic(Spec):
    """A made-up piece of neuropil; see lsd.synthetic.

    kind:       "isotropic", or "anisotropic" serial sections with their defects
    shape:      voxels, z y x
    voxel_size: in nm, z y x; neurites have their size in nm, so larger voxels show thinner ones
    membranes:  how dark membranes are, as a share of the usual: fainter ones are harder to find
    seed:       what it is grown from: another one gives another volume
    """

    kind: Literal["isotropic", "anisotropic"] = "isotropic"
    shape: Shape = (128, 128, 128)
    voxel_size: VoxelSize = (10.0, 10.0, 10.0)
    # not written where it is the usual one: volumes of before had no such field
    membranes: Annotated[float, Field(gt=0, le=1, exclude_if=lambda share: share == 1)] = 1.0
    seed: Annotated[int, Field(ge=-MOST, le=MOST)] = 0


class Sharpen(Spec):
    """Unsharp masking as raw is read: raw + amount * (raw - raw smoothed by a Gaussian), in 0..1.

    For what is to be predicted and has fainter membranes than what was trained on.

    amount: how much stronger details become that are finer than sigma; about 1
    sigma:  standard deviation, nm
    in_xy:  each section by itself, for serial sections
    """

    amount: PositiveFloat = 1.0
    sigma: PositiveFloat = 30.0
    in_xy: bool = False


class Volume(Spec):
    """Arrays that belong together: raw, and for training and scoring also labels and masks.

    path:       container (zarr folder, HDF5 file, TIFF file, or one of a format of one's own),
                absolute or below the data root
    synthetic:  a made-up volume instead of a path
    raw, labels, labels_mask, arrays:  array names inside the container.  A name "other.tif:" or
                "other.zarr:volumes/x" (container, colon, array) names an array of another
                container.  None: there is none.
                arrays: further voxel-wise truth by name, e.g. {"mitochondria":
                        "volumes/labels/mito"}
    voxel_size, offset, axes:  what the config says before the files do: of all arrays, or by name,
                as in offset={"labels": (0, 0, 0)}.  Where it contradicts a file, a warning names
                both
    voxel_size: nm, z y x; needed where a file gives none
    offset:     nm, z y x; arrays must lie whole voxels apart
    axes:       names of the axes in their order on disk, e.g. "zyx", "zyxc"; z y x by default
    region:     the part that may be used (see Region).  Raw may be read outside it as context,
                labels never
    raw_range:  raw values that become -1 and 1, (high, low) for inverted contrast; None: 0..255 for
                uint8, otherwise an error
    invalid:    what to do with NaN and inf in raw: refuse, or set to the low end and mask out
    sharpen:    what is done to raw as it is read; None: nothing
    unknown:    the label that means "not annotated" (see specs of the field: 0 inside the mask is
                background)
    fit:        what to do where raw and labels differ in extent: refuse, or use the intersection
    weight:     how often this volume is drawn in training, relative to the others
    revision:   names the state of the data.  Without one, what was made from an array is made anew
                where a chunk of it was changed in place, by the sizes and times of its chunks; with
                one they are not looked at, for data that does not change, lies on a slow network,
                or has many millions of chunks: whoever changes it gives it another name
    skeletons:  center lines of its neurons, that segmentations are scored along: a file or a
                pattern, absolute or below the data root, `SkeletonFiles(...)` where more is to be
                said of them, or "generated", of a synthetic volume.  None: there are none
    name:       names the outputs; "<file stem>_<part>" by default
    """

    path: Name | None = None
    synthetic: Synthetic | None = None
    raw: str = "volumes/raw"
    labels: Name | None = None
    labels_mask: Name | None = None
    arrays: dict[Name, Name] = {}
    voxel_size: Annotated[_All[VoxelSize] | _ByName[VoxelSize], _CHOICE] | None = None
    offset: Annotated[_All[Lengths] | _ByName[Lengths], _CHOICE] | None = None
    axes: Annotated[_All[Name] | _ByName[Name], _CHOICE] | None = None
    region: Region = ()
    raw_range: RawRange | None = None
    invalid: Literal["refuse", "mask"] = "refuse"
    sharpen: Sharpen | None = None
    unknown: Id | None = None
    fit: Literal["refuse", "intersect"] = "refuse"
    weight: PositiveFloat = 1.0
    revision: Annotated[str, Field(min_length=1)] | None = None
    # not written where there are none: volumes of before had no such field
    skeletons: Annotated[
        AnySkeletons | None,
        NoEffect("no voxel is made from them"),
        Field(exclude_if=lambda skeletons: skeletons is None),
    ] = None
    name: str | None = None

    @field_validator("name")
    @classmethod
    def _one_file(cls, name: str | None) -> str | None:
        if name is not None and (wrong := fault(name)):
            raise ValueError(f"a volume's name is one file name, of its outputs; {name!r} {wrong}")
        return name

    @model_validator(mode="after")
    def _one_source(self) -> Volume:
        if (self.path is None) == (self.synthetic is None):
            raise ValueError(
                "a volume has either a path or synthetic=Synthetic(...), got "
                + ("both" if self.path else "neither")
            )
        return self

    @model_validator(mode="after")
    def _names_its_arrays(self) -> Volume:
        array_names = [
            "raw",
            *(role for role in ("labels", "labels_mask") if getattr(self, role)),
            *self.arrays,
        ]
        for field in ("voxel_size", "offset", "axes"):
            value = getattr(self, field)
            wrong = (
                [name for name in value if name not in array_names]
                if isinstance(value, dict)
                else []
            )
            if wrong:
                raise ValueError(
                    f"{field} names {', '.join(map(repr, wrong))}; arrays of the volume are "
                    f"{', '.join(array_names)}"
                )
        return self

    @model_validator(mode="after")
    def _one_value_an_axis(self) -> Volume:
        if not isinstance(self.voxel_size, tuple):
            return self
        axes = len(self.voxel_size)
        offset = self.offset if isinstance(self.offset, tuple) else self.voxel_size
        for field, values in (("offset", offset), ("region", self.region)):
            # a region may leave its last axes out
            if len(values) > axes or (len(values) < axes and field == "offset"):
                raise ValueError(
                    f"{field} {values} is of {counted(len(values), 'axis')}, voxel_size of "
                    f"{axes}; give both alike"
                )
        return self

    @property
    def stem(self) -> str:
        """Name of the container without folders and suffix; "synthetic" for a synthetic volume."""
        return PurePath(with_variables(self.path)).stem if self.path else "synthetic"

    @property
    def is_pattern(self) -> bool:
        """Whether its path has wildcards, so that what it stands for, and is called, is known on
        disk only."""
        return self.path is not None and glob.has_magic(with_variables(self.path))


# one alone is a tuple of one
Volumes = Annotated[tuple[Volume, ...], SeveralSpecs]

with warnings.catch_warnings():
    # `validate` is the field's name for its part of the data; pydantic warns of its own, deprecated
    # method of that name
    warnings.filterwarnings("ignore", message='Field name "validate"', category=UserWarning)

    class Dataset(Spec):
        """Volumes for training, validation and test.

        train:      volumes to train on
        validate:   volumes that pick the best checkpoint and the threshold
        test:       volumes to score, or to predict: these need no labels
        voxel_size: nm, z y x, of every volume; None: the files (or the volumes) say
        augment:    what is done to training batches, in this order
        """

        train: Volumes = ()
        validate: Volumes = ()  # type: ignore[assignment]
        test: Volumes = ()
        voxel_size: VoxelSize | None = None
        augment: Annotated[tuple[Augmentation, ...], SeveralKinds] = ()

        @model_validator(mode="after")
        def _names_are_unique(self) -> Dataset:
            plain = [
                name
                for part in ("train", "validate", "test")
                for name, volume in zip(self.names(part), getattr(self, part), strict=True)
                if not volume.is_pattern
            ]
            faults = [f"{name!r} {fault(name)}" for name in plain if fault(name)]
            if faults:
                raise ValueError(
                    f"a volume without a name gives its outputs that of its file, and {faults[0]}; "
                    f"give it a name="
                )
            twice = sorted(name for name, count in Counter(plain).items() if count > 1)
            if twice:
                raise ValueError(
                    f"several volumes are called {', '.join(twice)}; give each a name=, outputs "
                    f"are named after it"
                )
            return self

        def part(self, part: Part) -> dict[str, Volume]:
            """Volumes of one part by name, with the dataset's voxel size where they have none of
            their own."""
            return {
                name: self._complete(volume)
                for name, volume in zip(self.names(part), getattr(self, part), strict=True)
            }

        def volumes(self) -> dict[str, Volume]:
            """All volumes by name: train, then validate, then test."""
            return {**self.part("train"), **self.part("validate"), **self.part("test")}

        def named(self, names: tuple[str, ...]) -> dict[str, Volume]:
            """The volumes that `names` mean, which may be parts of the dataset too; each once, in
            the dataset's order.

            Raises ValueError for a name that is neither.
            """
            volumes = self.volumes()
            for name in names:
                if name not in (*volumes, "train", "validate", "test"):
                    raise ValueError(
                        f"there is no volume {name!r}; allowed: train, validate, test, "
                        f"{', '.join(volumes)}"
                    )
            parts = {
                name: part for part in ("train", "validate", "test") for name in self.names(part)
            }
            return {
                name: volume
                for name, volume in volumes.items()
                if name in names or parts[name] in names
            }

        def names(self, part: str) -> list[str]:
            """What the volumes of a part, and their outputs, are called."""
            return [volume.name or f"{volume.stem}_{part}" for volume in getattr(self, part)]

        def _complete(self, volume: Volume) -> Volume:
            return (
                volume
                if volume.voxel_size or not self.voxel_size
                else volume.derive(voxel_size=self.voxel_size)
            )


__all__ = [
    "Dataset",
    "Format",
    "Hdf5",
    "Part",
    "RawRange",
    "Sharpen",
    "Synthetic",
    "Tiff",
    "Volume",
    "VoxelSize",
    "Zarr2",
]
