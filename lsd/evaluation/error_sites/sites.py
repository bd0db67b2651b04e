"""Error sites: the worst splits and merges of a segmentation, and where they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from lsd.system.atomic import replacing

Kind = Literal["split", "merge"]
# of evaluation_sites.csv; what a site has not is empty there
COLUMNS = (
    "volume",
    "kind",
    "bits",
    "segment",
    "other_segment",
    "truth",
    "other_truth",
    "voxels",
    "other_voxels",
    "contact",
    "z_nm",
    "y_nm",
    "x_nm",
)


@dataclass(frozen=True)
class Site:
    """Two parts of one object that are two segments, or of one segment that are two objects.

    A part is what a segment and an object of the truth have in common.

    kind:     "split": an object lies in two segments; "merge": a segment holds two objects
    segments: of a split that of the part where the place is, then that of the other part; of a
              merge the one that holds both.  An object of which no segment has anything, where
              voxels of segment 0 count each as their own, has 0 alone, and no other part
    truth:    of a merge the object of the part where the place is, then that of the other part; of
              a split the one that both are of
    voxels:   of the part where the place is, and of the other part, 0 where there is none
    bits:     of VOI that joining the part to all larger parts of its object would spare, or parting
              it from all larger ones of its segment.  Those of all splits of a volume add up to its
              VOI split, those of all merges to its VOI merge
    contact:  faces of voxels between both parts; 0: they do not touch
    place:    nm, z y x (2D: y x), the centre of a voxel of the first part.  Where the parts touch
              it is one that has a face on the other, of these the nearest to their middle; else
              that of the whole part which is nearest to its middle

    The other part is, of the larger ones that touch the first, the one with most contact; where
    none of these does, of the smaller ones; where nothing touches it, the largest.
    """

    kind: Kind
    segments: tuple[int, ...]
    truth: tuple[int, ...]
    voxels: tuple[int, int]
    bits: float
    contact: int
    place: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "bits": self.bits,
            "segments": list(self.segments),
            "truth": list(self.truth),
            "voxels": list(self.voxels),
            "contact": self.contact,
            "place": list(self.place),
        }

    @property
    def is_lost(self) -> bool:
        """Whether it is an object that lies in no segment."""
        return self.kind == "split" and len(self.segments) == 1

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Site:
        """From JSON; other names in it, such as "volume", are passed over."""
        return cls(
            kind=cast(Kind, content["kind"]),
            segments=tuple(content["segments"]),
            truth=tuple(content["truth"]),
            voxels=(content["voxels"][0], content["voxels"][1]),
            bits=content["bits"],
            contact=content["contact"],
            place=tuple(content["place"]),
        )

    def row(self) -> dict[str, Any]:
        """By the names of COLUMNS, but for the volume; what it has not is left out."""
        places = zip(("z_nm", "y_nm", "x_nm")[-len(self.place) :], self.place, strict=True)
        pairs = zip(("segment", "other_segment"), self.segments, strict=False)
        objects = zip(("truth", "other_truth"), self.truth, strict=False)
        sizes = zip(("voxels", "other_voxels"), self.voxels, strict=True)
        about = {"kind": self.kind, "bits": self.bits, "contact": self.contact}
        return {**about, **dict(pairs), **dict(objects), **dict(sizes), **dict(places)}


Sites = Mapping[str, Sequence[Site]]


def as_list(sites: Sites) -> list[dict[str, Any]]:
    """The sites of all volumes as evaluation.json has them under "sites": those of a volume after
    another, worst first, each with the name of its volume."""
    return [{"volume": volume, **site.as_dict()} for volume, own in sites.items() for site in own]


def read_sites(path: str | Path) -> dict[str, list[Site]]:
    """The sites of each volume, worst first, from an evaluation.json; none of one that was written
    without.

    Raises ValueError where the file cannot be read.
    """
    try:
        listed = json.loads(Path(path).read_bytes()).get("sites", [])
        sites: dict[str, list[Site]] = {}
        for content in listed:
            sites.setdefault(content["volume"], []).append(Site.from_dict(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"error sites of {path} cannot be read ({error}); evaluate the run again"
        ) from error
    return sites


def write_csv(sites: Sites, path: Path) -> None:
    """Writes the sites of all volumes as a table with COLUMNS, a row each, in the same order."""
    with replacing(path) as staged, staged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(sites))


def _rows(sites: Sites) -> Iterable[dict[str, Any]]:
    return ({"volume": volume, **site.row()} for volume, own in sites.items() for site in own)
