"""A volume of a dataset: raw and truth that lie in one world, checked when opened, ready to be
read.

raw    |-----------------------------------|     may be read anywhere, and is mirrored beyond
roi         |<------------------->|              the part that may be used (Volume.region)
truth       |<------------------->|              labels, labels_mask, arrays: never read outside;
            unknown there
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.spec import Region, Volume
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.consistency import check_against_files, common_roi, on_one_grid, value_for
from lsd.volumes.generated import check_instances, generate
from lsd.volumes.intensity import check_range, first_not_finite, masked, to_unit
from lsd.volumes.metadata_values import unreadable
from lsd.volumes.reference import check_there, locate, split
from lsd.volumes.sharpen import sharpen_margin, sharpened
from lsd.volumes.skeletons.sources import source_of
from lsd.volumes.units import Remainder


@dataclass(frozen=True)
class OpenVolume:
    """Arrays that belong together; see `open_volume`.  Cheap to pickle: files are opened again in
    each process.

    raw:         (z, y, x); labels, labels_mask, arrays: the same, confined to roi
    voxel_size:  nm; roi: the part that may be used, voxels
    """

    name: str
    spec: Volume
    raw: Array
    labels: Array | None
    labels_mask: Array | None
    arrays: Mapping[str, Array]
    roi: Roi

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Voxel size in nm, z y x."""
        return self.raw.voxel_size

    @property
    def truth_roi(self) -> Roi | None:
        """Where labels are, within `roi`; None without labels."""
        return None if self.labels is None else self.labels.roi

    def on_grid(self, remainder: Remainder) -> OpenVolume:
        """The same volume, its voxels counted on the grid with `remainder`.  ValueError if it lies
        between those."""
        raw = self.raw.on_grid(remainder)
        labels, mask = (
            array and array.on_grid(remainder) for array in (self.labels, self.labels_mask)
        )
        arrays = {name: array.on_grid(remainder) for name, array in self.arrays.items()}
        roi = self.roi + (raw.roi.begin - self.raw.roi.begin)
        return replace(self, raw=raw, labels=labels, labels_mask=mask, arrays=arrays, roi=roi)

    def read_raw(self, roi: Roi) -> NDArray[np.float32]:
        """Raw (z, y, x), float32 in 0..1, mirrored beyond the array, sharpened where the spec says
        so.

        Raises ValueError for NaN and inf, unless they are masked.
        """
        if self.spec.sharpen is None:
            return self._raw(roi)
        around = sharpen_margin(self.spec.sharpen, self.voxel_size)
        wide = roi.grow(around, around)
        sharp = sharpened(self._raw(wide), self.spec.sharpen, self.voxel_size)
        return np.ascontiguousarray(sharp[(roi - wide.begin).to_slices()])

    def read_labels(self, roi: Roi) -> NDArray[np.uint64]:
        """Labels (z, y, x), uint64, 0 where there are none.  ValueError for negative ids."""
        return self.read_truth(roi)[0]

    def read_known(self, roi: Roi) -> NDArray[np.bool_]:
        """Where the truth is known, bool (z, y, x): inside labels and their mask, not the unknown
        label, raw finite."""
        # labels say what is known where they say what is not
        return self._known(roi, None if self.spec.unknown is None else self._labels(roi))

    def read_truth(self, roi: Roi) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """`read_labels` and `read_known`, each voxel read once."""
        labels = self._labels(roi)
        return labels, self._known(roi, labels)

    def _known(self, roi: Roi, labels: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
        known = np.zeros(roi.shape, dtype=bool)
        known[(roi.intersect(self.roi) - roi.begin).to_slices()] = True
        if self.labels_mask is not None:
            known &= self.labels_mask.read(roi, beyond="zero") != 0
        if self.spec.unknown is not None and self.labels is not None:
            assert labels is not None
            known &= labels != np.uint64(self.spec.unknown)
        if self.spec.invalid == "mask" and self.raw.dtype.kind == "f":
            known &= np.isfinite(self.raw.read(roi, beyond="zero"))
        return known

    def read_array(self, name: str, roi: Roi) -> NDArray[np.generic]:
        """Further truth by its name in Volume.arrays, (c?, z, y, x), 0 where there is none."""
        if name not in self.arrays:
            raise ValueError(
                f"volume {self.name!r} has no array {name!r}; its further arrays: "
                f"{', '.join(self.arrays) or 'none'}; "
                f"say where it lies: Volume(..., arrays={{{name!r}: 'path/in/the/file'}})"
            )
        return self.arrays[name].read(roi, beyond="zero")

    def _raw(self, roi: Roi) -> NDArray[np.float32]:
        raw = self.raw.read(roi, beyond="reflect")
        if self.spec.invalid == "mask" and self.spec.raw_range:
            return to_unit(masked(raw, self.spec.raw_range[0]), self.spec.raw_range)
        bad = first_not_finite(raw)
        if bad is not None:
            raise ValueError(
                f"volume {self.name!r}: {self.raw.name} holds {raw[bad]} at "
                f"{self._place(roi.begin + Coordinate(bad))}; "
                "mend it, or set invalid='mask'"
            )
        return to_unit(raw, self.spec.raw_range)

    def _place(self, voxel: Coordinate) -> str:
        """Where raw was read for a voxel, which may lie beyond its border, as people count."""
        index = self.raw.index(voxel)
        world = tuple(int(n) for n in self.raw.layout.offset + Coordinate(index))
        return f"voxel {index}" + ("" if world == index else f" of the array, {world} of the world")

    def _labels(self, roi: Roi) -> NDArray[np.uint64]:
        if self.labels is None:
            return np.zeros(roi.shape, dtype=np.uint64)
        labels = self.labels.read(roi, beyond="zero")
        if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
            raise ValueError(
                f"volume {self.name!r}: {self.labels.name} holds the negative label {labels.min()} "
                f"in {text(roi)}; "
                "ids are 0 and above"
            )
        return labels.astype(np.uint64, copy=False)


def open_volume(volume: Volume, *, name: str, data_root: Path) -> OpenVolume:
    """Opens the arrays of a volume and checks that they fit together.

    name: for messages; data_root: where relative paths start.  A synthetic volume is made once and
          kept there.
    Raises ValueError, beginning with the name of the volume, for whatever is missing or does not
    fit.
    """
    try:
        container = (
            generate(volume.synthetic, data_root)
            if volume.synthetic
            else locate(str(volume.path), root=data_root)
        )
        check_there(container, root=data_root)
        references = {
            "raw": volume.raw,
            "labels": volume.labels,
            "labels_mask": volume.labels_mask,
            **_arrays(volume),
        }
        arrays = {
            role: _open(volume, role, reference, container, data_root)
            for role, reference in references.items()
            if reference is not None
        }
        check_against_files(volume, arrays)
        if volume.synthetic:
            check_instances(arrays, container)
        raw, *others = on_one_grid(arrays).values()
        raw, truth = raw.without_channel(), dict(zip(list(arrays)[1:], others, strict=True))
        check_range(raw.dtype, volume.raw_range)
        if volume.skeletons is not None:
            source = source_of(volume.skeletons)
            source.check(volume, voxel_size=raw.voxel_size, data_root=data_root)
        roi = within(volume.region, common_roi(volume, raw, truth))
        return OpenVolume(
            name=name,
            spec=volume,
            raw=raw,
            labels=_labels(truth["labels"]).cropped(roi) if volume.labels else None,
            labels_mask=truth["labels_mask"].without_channel().cropped(roi)
            if volume.labels_mask
            else None,
            arrays={role: truth[f"arrays.{role}"].cropped(roi) for role in volume.arrays},
            roi=roi,
        )
    except OSError as error:
        raise ValueError(f"volume {name!r}: {unreadable(data_root, error)}") from error
    except ValueError as error:
        raise ValueError(f"volume {name!r}: {error}") from error


def within(region: Region, roi: Roi) -> Roi:
    """The part of `roi` that `region` names.  ValueError if it reaches beyond."""
    if len(region) > roi.dims:
        raise ValueError(f"region has {len(region)} slices, the volume {roi.dims} axes")
    open_ends = (*region, *((None, None),) * (roi.dims - len(region)))
    begin = [first if a is None else a for (a, _), first in zip(open_ends, roi.begin, strict=True)]
    end = [last if b is None else b for (_, b), last in zip(open_ends, roi.end, strict=True)]
    extent = [b - a for a, b in zip(begin, end, strict=True)]
    if min(extent) <= 0 or not roi.contains(Roi(begin, extent)):
        slices = ", ".join(f"{a}:{b}" for a, b in zip(begin, end, strict=True))
        raise ValueError(
            f"region {slices} is not inside what there is, {text(roi)} (voxels, z y x, counted "
            f"from offset 0)"
        )
    return Roi(begin, extent)


def _arrays(volume: Volume) -> dict[str, str]:
    return {f"arrays.{name}": reference for name, reference in volume.arrays.items()}


def _open(volume: Volume, role: str, reference: str, volume_container: Path, root: Path) -> Array:
    container, name = split(reference, volume_container, root=root)
    check_there(container, root=root)
    return open_array(
        container,
        name,
        voxel_size=value_for(volume.voxel_size, role),
        offset=value_for(volume.offset, role),
        axes=value_for(volume.axes, role),
    )


def _labels(labels: Array) -> Array:
    if labels.dtype.kind not in "bui":
        raise ValueError(
            f"{labels.name} is {labels.dtype}; labels are integers: convert them, float ids are "
            f"not exact"
        )
    return labels.without_channel()
