"""Where data comes from: volumes on disk or synthetic, and the datasets that group them."""

from __future__ import annotations

import glob
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from lsd.spec.augment import Augmentation
from lsd.spec.base import (
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
from lsd.spec.images import IMAGES, MASKS, Images
from lsd.spec.names import fault
from lsd.spec.plurals import counted
from lsd.spec.skeletons import AnySkeletons
from lsd.spec.synthetic import Synthetic, VoxelSize
from lsd.spec.user_paths import with_variables

Lengths = Annotated[tuple[float, ...], PerAxis]
# voxels of each axis in one; ones are no scale
Scale = Annotated[
    Annotated[Shape, PerAxis] | None,
    AfterValidator(lambda scale: None if scale and set(scale) == {1} else scale),
]
RawRange = tuple[float, float]
Name = Annotated[str, Field(min_length=1)]
Part = Literal["train", "validate", "test"]
PARTS: tuple[Part, ...] = ("train", "validate", "test")
# one value for all arrays of a volume, or values by their names; what is wrong is told of the one
# that was meant
Value = TypeVar("Value")
_All = Annotated[Value, Tag(f"{CHOSEN}all")]
_ByName = Annotated[dict[str, Value], Tag(f"{CHOSEN}by name")]
_CHOICE = Discriminator(lambda value: f"{CHOSEN}{'by name' if isinstance(value, dict) else 'all'}")


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

    path:       container (zarr, N5 or precomputed folder, HDF5, TIFF, numpy or NIfTI file, folder
                of NIfTI files, or of a format of one's own), absolute or below the data root
    synthetic:  a made-up volume instead of a path
    images:     2D images in folders instead of a path: raw is "images", labels are "masks"
    raw, labels, labels_mask, arrays:  array names inside the container.  A name "other.tif:" or
                "other.zarr:volumes/x" (container, colon, array) names an array of another
                container.  None: there is none.
                arrays: further voxel-wise truth by name, e.g. {"mitochondria":
                        "volumes/labels/mito"}
    voxel_size, offset, axes:  what the config says before the files do: of all arrays, or by name,
                as in offset={"labels": (0, 0, 0)}.  Where it contradicts a file, a warning names
                both
    voxel_size: nm, z y x; needed where a file gives none, but for images, which may have none
    offset:     nm, z y x; arrays must lie whole voxels apart
    axes:       names of the axes in their order on disk, e.g. "zyx", "zyxc"; z y x by default
    scale:      voxels of the files along z, y, x that are read as one: raw is their mean, a label
                what most of them have (of several the smallest), labels_mask knows what it knows of
                all of them, further arrays are a mean of floats, else as labels.  Voxels are joined
                from the origin of the world on.  voxel_size, offset and every region stay those of
                the files; all else, as shapes of a network, counts what is read.  None: as they are
    region:     the part that may be used (see Region).  Raw may be read outside it as context,
                labels never.  With a scale, what is read whole of it
    raw_range:  raw values that become -1 and 1, (high, low) for inverted contrast; None: 0..255 for
                uint8, otherwise an error
    invalid:    what to do with NaN and inf in raw: refuse, or set to the low end and mask out
    sharpen:    what is done to raw as it is read; None: nothing
    unknown:    the label that means "not annotated": its voxels are neither trained nor scored.
                None: no label does, so label 0 is background wherever labels_mask does not hide it
    fit:        what to do where raw and labels differ in extent: refuse, or use the intersection
    weight:     how often this volume is drawn in training, relative to the others
    revision:   names the state of the data.  Without one, what was made from an array is made anew
                where a chunk of it was changed in place, by the sizes and times of its chunks; with
                one they are not looked at, for data that does not change, lies on a slow network,
                or has many millions of chunks: whoever changes it gives it another name
    skeletons:  center lines of its neurons, that segmentations are scored along: a file or a
                pattern, absolute or below the data root, `SkeletonFiles(...)` where more is to be
                said of them; "generated", of a synthetic volume; or "labels", to make them of its
                labels.  None: there are none
    name:       names the outputs; "<file stem>_<part>" by default
    """

    path: Name | None = None
    synthetic: Synthetic | None = None
    # not written where there is none: volumes of before had no such field
    images: Annotated[Images | None, Field(exclude_if=lambda images: images is None)] = None
    raw: str = "volumes/raw"
    labels: Name | None = None
    labels_mask: Name | None = None
    arrays: dict[Name, Name] = {}
    voxel_size: Annotated[_All[VoxelSize] | _ByName[VoxelSize], _CHOICE] | None = None
    offset: Annotated[_All[Lengths] | _ByName[Lengths], _CHOICE] | None = None
    axes: Annotated[_All[Name] | _ByName[Name], _CHOICE] | None = None
    # not written where there is none: volumes of before had no such field
    scale: Annotated[Scale | None, Field(exclude_if=lambda scale: scale is None)] = None
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

    @model_validator(mode="before")
    @classmethod
    def _arrays_of_images(cls, fields: Any) -> Any:
        """Images have names for their arrays, so nobody need write them."""
        images = fields.get("images") if isinstance(fields, Mapping) else None
        if images is None:
            return fields
        # what is no Images is told of where the field itself is read
        given = images if isinstance(images, Mapping) else getattr(images, "__dict__", {})
        return {"raw": IMAGES, **({"labels": MASKS} if given.get("masks") else {}), **fields}

    @model_validator(mode="after")
    def _one_source(self) -> Volume:
        sources = (self.path, self.synthetic, self.images)
        given = sum(source is not None for source in sources)
        if given != 1:
            raise ValueError(
                "a volume has one of a path, synthetic=Synthetic(...) and images=Images(...), got "
                + ("none of them" if given == 0 else f"{given} of them")
            )
        return self

    @model_validator(mode="after")
    def _has_no_scaled_images(self) -> Volume:
        if self.images is not None and self.scale is not None:
            raise ValueError(
                "images are read as they are, scale is of volumes; leave it out, or write the "
                "images smaller"
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
        # the voxel size of images may be of y and x alone
        axes = len(self.voxel_size) if self.images is None else 3
        as_wanted = (0,) * axes
        offset = self.offset if isinstance(self.offset, tuple) else as_wanted
        scale = self.scale or as_wanted
        for field, values in (("offset", offset), ("region", self.region), ("scale", scale)):
            # a region may leave its last axes out
            if len(values) > axes or (len(values) < axes and field != "region"):
                others = "voxel_size" if self.images is None else "a volume of images"
                raise ValueError(
                    f"{field} {values} is of {counted(len(values), 'axis')}, {others} of {axes}; "
                    f"give both alike"
                )
        return self

    @property
    def stem(self) -> str:
        """Name of the container without folders and suffix; "synthetic" for a synthetic volume."""
        path = self.images.list_file if self.images else self.path
        return PurePath(with_variables(path)).stem if path else "synthetic"

    @property
    def names_by_image(self) -> bool:
        """Whether its labels are names within an image, so that other, unique ones are read."""
        has_names = self.images is not None and self.images.holds == "instances"
        return has_names and self.labels is not None

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
        voxel_size: nm, z y x, of every volume that says none; None: the files do
        augment:    what is done to training batches, in this order
        """

        train: Volumes = ()
        validate: Volumes = ()  # type: ignore[assignment]
        test: Volumes = ()
        voxel_size: VoxelSize | None = None
        augment: Annotated[tuple[Augmentation, ...], SeveralKinds] = ()

        @model_validator(mode="after")
        def _names_are_unique(self) -> Dataset:
            part_of = [
                (name, part)
                for part in PARTS
                for name, volume in zip(self.names(part), getattr(self, part), strict=True)
                if not volume.is_pattern
            ]
            plain = [name for name, _ in part_of]
            if faults := [f"{name!r} {fault(name)}" for name in plain if fault(name)]:
                raise ValueError(
                    f"a volume without a name gives its outputs that of its file, and {faults[0]}; "
                    f"give it a name="
                )
            if twice := sorted(name for name, count in Counter(plain).items() if count > 1):
                raise ValueError(
                    f"several volumes are called {', '.join(twice)}; give each a name=, outputs "
                    f"are named after it"
                )
            for name, part in part_of:
                if name in PARTS and name != part:
                    raise ValueError(
                        f"a volume of {part} is called {name!r}, as a part; give it another name="
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
                if name not in (*volumes, *PARTS):
                    raise ValueError(
                        f"there is no volume {name!r}; allowed: train, validate, test, "
                        f"{', '.join(volumes)}"
                    )
            parts = {name: part for part in PARTS for name in self.names(part)}
            return {
                name: volume
                for name, volume in volumes.items()
                if name in names or parts[name] in names
            }

        def tested_and_validated(self) -> dict[str, str]:
            """Test volumes that are validation volumes too, the same voxels of the same files, and
            what they are called there."""
            fields = ("path", "synthetic", "images", "raw", "labels", "region")
            return {
                name: other
                for name, volume in self.part("test").items()
                for other, validated in self.part("validate").items()
                if all(getattr(volume, field) == getattr(validated, field) for field in fields)
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
    "Part",
    "RawRange",
    "Sharpen",
    "Synthetic",
    "Volume",
    "VoxelSize",
]
