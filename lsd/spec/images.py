"""Folders of 2D images and of their masks: how pairs are found, and which of them train, validate
and test."""

from __future__ import annotations

import glob
import math
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lsd.spec.base import NonNegative, Probability, Spec
from lsd.spec.user_paths import with_variables

# names of the arrays of a list
IMAGES, MASKS = "images", "masks"
Pattern = Annotated[str, Field(min_length=1)]


class Split(Spec):
    """Which images train, validate and test.  It is made once, kept in the list of the images, and
    read from there ever after.

    by:        "image": each image by itself; "folder": images of one folder stay together, as crops
               of one volume must: they are too much alike to train on some and to test on others
    fractions: of the images that train, validate and test; by folder only about, since each stays
               whole
    seed:      another one gives another split; it follows from the names of the images alone, so
               it is the same on any machine
    """

    by: Literal["image", "folder"] = "image"
    fractions: tuple[Probability, Probability, Probability] = (0.8, 0.1, 0.1)
    seed: NonNegative = 0

    @field_validator("fractions")
    @classmethod
    def _add_up(cls, fractions: tuple[float, float, float]) -> tuple[float, float, float]:
        if not math.isclose(sum(fractions), 1, abs_tol=1e-6):
            raise ValueError(
                f"fractions are those that train, validate and test, and add up to 1; "
                f"{fractions} add up to {sum(fractions):g}"
            )
        return fractions


class Images(Spec):
    """2D images in folders, as sections of one volume: each an image of its own, in its own size.

    images: pattern of their paths, below the data root: "mito/*/images/*.tiff".  What its wildcards
            (*, ?, [..], **) stand for is the key of an image, "source/name"
    masks:  pattern of the masks, with as many wildcards, "mito/*/masks/*.tiff", or the folder that
            holds them under the names of the images; the mask of an image has its key.  None: none
    holds:  what the numbers of a mask are: "instances", names of objects within one image; or
            "classes", which mean the same in all images
    file:   list of the images (CSV), below the data root.  It is written when it is not there, and
            read when it is.  None: named after the folder that the pattern begins with
    split:  which images train, validate and test, where the list is yet to be written.  None: all
            images are in one part
    part:   of the split; None: all images of the list
    """

    images: Pattern
    masks: Pattern | None = None
    holds: Literal["instances", "classes"] = "instances"
    file: Pattern | None = None
    split: Split | None = None
    part: Literal["train", "validate", "test"] | None = None

    @field_validator("file")
    @classmethod
    def _is_csv(cls, file: str | None) -> str | None:
        if file is not None and not file.endswith(".csv"):
            raise ValueError(f"the list of the images is a CSV file, so call it {file}.csv")
        return file

    @model_validator(mode="after")
    def _have_wildcards(self) -> Images:
        if not glob.has_magic(self.images):
            raise ValueError(
                f"images={self.images!r} names no pattern; write one with wildcards, as in "
                f"{str(PurePosixPath(self.images) / '*.png')!r}"
            )
        wanted = wildcards(self.images)
        if self.masks and glob.has_magic(self.masks) and wildcards(self.masks) != wanted:
            raise ValueError(
                f"masks={self.masks!r} has {wildcards(self.masks)} wildcards, "
                f"images={self.images!r} {wanted}; a mask has the key of its image, so give both "
                f"as many, or name the folder of the masks"
            )
        return self

    @property
    def list_file(self) -> str:
        """Where the list lies, as `file` says or by default: "mito.csv" for
        "mito/*/images/*.tiff"."""
        if self.file is not None:
            return self.file
        folders = PurePosixPath(with_variables(self.images)).parts[:-1]
        plain = next((n for n, part in enumerate(folders) if glob.has_magic(part)), len(folders))
        first = PurePosixPath(*folders[:plain]) if plain else PurePosixPath("images")
        # a file of the root of a disk has no name
        return f"{first if first.name else first / 'images'}.csv"


def wildcards(pattern: str) -> int:
    """How many parts of a path have wildcards: so many make the key."""
    return sum(glob.has_magic(part) for part in PurePosixPath(pattern).parts)


__all__ = ["IMAGES", "MASKS", "Images", "Split", "wildcards"]
