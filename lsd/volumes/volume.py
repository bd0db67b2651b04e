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

from lsd.arrays.offsets import Slices
from lsd.spec import Region, Volume
from lsd.spec.images import IMAGES, MASKS
from lsd.volumes.array import Array, open_array
from lsd.volumes.consistency import check_against_files, common_roi, on_one_grid, value_for
from lsd.volumes.generated import check_instances, generate
from lsd.volumes.images.ids import across_images, mirrored_ids
from lsd.volumes.intensity import check_range, first_not_finite, masked, to_unit
from lsd.volumes.levels import How
from lsd.volumes.metadata_values import unreadable
from lsd.volumes.of_ids import NegativeIds, of_ids, read_ids
from lsd.volumes.reference import check_there, locate, split
from lsd.volumes.region import part_of, within
from lsd.volumes.scale import at_scale, covered, whole_within
from lsd.volumes.sharpen import sharpen_margin, sharpened
from lsd.volumes.skeletons.sources import source_of
from lsd.volumes.units import Remainder


@dataclass(frozen=True)
class OpenVolume:
    """Arrays that belong together; see `open_volume`.  Cheap to pickle: files are opened again in
    each process.

    raw:         (z, y, x); labels, labels_mask, arrays: the same, confined to roi
    voxel_size:  nm; roi: the part that may be used, voxels
    file_roi:    what raw covers, in voxels of its file, of which a scale reads several as one
    """

    name: str
    spec: Volume
    raw: Array
    labels: Array | None
    labels_mask: Array | None
    arrays: Mapping[str, Array]
    roi: Roi
    file_roi: Roi

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Voxel size in nm, z y x."""
        return self.raw.voxel_size

    @property
    def calibrated(self) -> bool:
        """Whether the voxel size is known; where it is not, it is 1 along all axes."""
        return self.raw.calibrated

    @property
    def image_sizes(self) -> NDArray[np.int64] | None:
        """Where its sections are images of their own, the size of each, (z, 2) along y and x; None
        for a volume."""
        return self.raw.image_sizes

    @property
    def least_shape(self) -> tuple[int, ...]:
        """Shape of raw; of images, the least along each axis."""
        sizes = self.image_sizes
        return tuple(self.raw.roi.shape) if sizes is None else (1, *sizes.min(axis=0).tolist())

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
        moved = raw.roi.begin - self.raw.roi.begin
        return replace(
            self,
            raw=raw,
            labels=labels,
            labels_mask=mask,
            arrays=arrays,
            roi=self.roi + moved,
            file_roi=self.file_roi + covered(moved, self.spec.scale),
        )

    def part(self, region: Region, roi: Roi) -> Roi:
        """What of `roi` lies in a region of a config, which counts voxels of the files; what is
        read as one must lie in it whole.  ValueError if the region reaches beyond."""
        return part_of(region, roi, file_roi=self.file_roi, scale=self.spec.scale)

    def in_file(self, roi: Roi) -> Roi:
        """The voxels of the files that are read as those of `roi`, which lies in raw."""
        return covered(roi, self.spec.scale).intersect(self.file_roi)

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

    def read_truth(
        self, roi: Roi, *, mirrored: bool = False
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """`read_labels` and `read_known`, each voxel read once; mirrored: labels beyond their array
        or its region, of images beyond each, where nothing is known, are as in a mirror; as raw
        is, but for what of it lies beyond a region."""
        labels = self._labels(roi, mirrored=mirrored)
        known = self._known(roi, labels)
        if self.labels is not None and self.spec.names_by_image:
            labels = across_images(labels, self.labels, roi)
        return labels, known

    def read_inside(self, roi: Roi) -> NDArray[np.bool_]:
        """Where there is an image, bool (z, y, x); of a volume, where raw is."""
        inside = np.zeros(roi.shape, dtype=bool)
        for part in self.images_in(roi):
            inside[part] = True
        return inside

    def image_rois(self, roi: Roi) -> list[Roi]:
        """The part of each image that lies in `roi`; of a volume, its one part."""
        common = roi.intersect(self.raw.roi)
        if self.image_sizes is None:
            return [] if common.empty else [common]
        images = (self.raw.image(z) for z in range(common.begin[0], common.end[0]))
        return [part for image in images if not (part := image.intersect(common)).empty]

    def images_in(self, roi: Roi) -> list[Slices]:
        """The same, where they lie in an array of `roi`."""
        return [tuple((part - roi.begin).to_slices()) for part in self.image_rois(roi)]

    def _known(self, roi: Roi, labels: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
        known = np.zeros(roi.shape, dtype=bool)
        known[(roi.intersect(self.roi) - roi.begin).to_slices()] = True
        if self.image_sizes is not None:
            known &= self.read_inside(roi)
        if self.labels_mask is not None:
            known &= self.labels_mask.read(roi, beyond="zero") != 0
        if self.spec.unknown is not None and self.labels is not None:
            assert labels is not None
            known &= labels != np.uint64(self.spec.unknown)
        if self.spec.invalid == "mask" and self.raw.dtype.kind == "f":
            known &= np.isfinite(self.raw.read(roi, beyond="zero"))
        return known

    def further(self, name: str) -> Array:
        """Further truth by its name in Volume.arrays.  ValueError where there is none."""
        if name not in self.arrays:
            raise ValueError(
                f"volume {self.name!r} has no array {name!r}; its further arrays: "
                f"{', '.join(self.arrays) or 'none'}; "
                f"say where it lies: Volume(..., arrays={{{name!r}: 'path/in/the/file'}})"
            )
        return self.arrays[name]

    def read_array(self, name: str, roi: Roi) -> NDArray[np.generic]:
        """Further truth by its name in Volume.arrays, (c?, z, y, x), 0 where there is none."""
        return self.further(name).read(roi, beyond="zero")

    def _raw(self, roi: Roi) -> NDArray[np.float32]:
        raw = self.raw.read(roi, beyond="reflect")
        if self.spec.invalid == "mask" and self.spec.raw_range:
            return to_unit(masked(raw, self.spec.raw_range[0]), self.spec.raw_range)
        bad = first_not_finite(raw)
        if bad is not None:
            raise ValueError(
                f"volume {self.name!r}: {self.raw.name} holds {raw[bad]} at "
                f"{self._place(roi.begin + Coordinate(bad))}; mend it, or set invalid='mask'"
            )
        return to_unit(raw, self.spec.raw_range)

    def _place(self, voxel: Coordinate) -> str:
        """Where raw was read for a voxel, which may lie beyond its border, as people count."""
        index = self.raw.index(voxel)
        world = tuple(int(n) for n in self.raw.layout.offset + Coordinate(index))
        return f"voxel {index}" + ("" if world == index else f" of the array, {world} of the world")

    def _labels(self, roi: Roi, *, mirrored: bool = False) -> NDArray[np.uint64]:
        if self.labels is None:
            return np.zeros(roi.shape, dtype=np.uint64)
        try:
            if mirrored and self.image_sizes is not None:
                return mirrored_ids(self.labels, self.raw, roi)
            return read_ids(self.labels, roi, beyond="reflect" if mirrored else "zero")
        except NegativeIds as error:
            raise ValueError(f"volume {self.name!r}: {error}") from error


def open_volume(volume: Volume, *, name: str, data_root: Path) -> OpenVolume:
    """Opens the arrays of a volume and checks that they fit together.

    name: for messages; data_root: where relative paths start.  A synthetic volume is made once and
          kept there.
    Raises ValueError, beginning with the name of the volume, for whatever is missing or does not
    fit.
    """
    try:
        container = _container(volume, data_root)
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
        file_roi, region = raw.roi, within(volume.region, common_roi(volume, raw, truth))
        roi = whole_within(region, file_roi, volume.scale)
        raw = _read_as(volume, "raw", raw)
        _check_lengths(volume, raw)
        used = {
            role: _read_as(volume, role, _single(role, array)).cropped(roi)
            for role, array in truth.items()
        }
        if volume.skeletons is not None:
            source = source_of(volume.skeletons)
            source.check(volume, voxel_size=raw.voxel_size, data_root=data_root)
        return OpenVolume(
            name=name,
            spec=volume,
            raw=raw,
            labels=used.get("labels"),
            labels_mask=used.get("labels_mask"),
            arrays={role: used[f"arrays.{role}"] for role in volume.arrays},
            roi=roi,
            file_roi=file_roi,
        )
    except OSError as error:
        raise ValueError(f"volume {name!r}: {unreadable(data_root, error)}") from error
    except ValueError as error:
        raise ValueError(f"volume {name!r}: {error}") from error


def _arrays(volume: Volume) -> dict[str, str]:
    return {f"arrays.{name}": reference for name, reference in volume.arrays.items()}


def _container(volume: Volume, root: Path) -> Path:
    """Where the arrays of a volume lie, made if it is synthetic, or a list, and not there yet."""
    if volume.images is not None:
        from lsd.volumes.images.listing import listed  # loads what reads images

        return listed(volume.images, root=root)
    if volume.synthetic is not None:
        return generate(volume.synthetic, root)
    return locate(str(volume.path), root=root)


def _open(volume: Volume, role: str, reference: str, volume_container: Path, root: Path) -> Array:
    if volume.images is not None and reference in (IMAGES, MASKS):
        reference = f"{volume.images.part or ''}/{reference}".strip("/")
    container, name = split(reference, volume_container, root=root)
    check_there(container, root=root)
    return open_array(
        container,
        name,
        voxel_size=_voxel_size(volume, role),
        offset=value_for(volume.offset, role),
        axes=value_for(volume.axes, role),
    )


def _voxel_size(volume: Volume, role: str) -> tuple[float, ...] | None:
    """nm, of all axes; that of an image is of y and x, and nothing lies between images."""
    size = value_for(volume.voxel_size, role)
    return (size[0], *size) if volume.images and size and len(size) == 2 else size


def _check_lengths(volume: Volume, raw: Array) -> None:
    if volume.sharpen is None:
        return
    if not raw.calibrated:
        raise ValueError(needs_nm("sharpen, by its sigma,"))
    if raw.image_sizes is not None and not volume.sharpen.in_xy:
        raise ValueError("its images have nothing to do with each other: set sharpen's in_xy=True")


def needs_nm(what: str) -> str:
    """What is said of what wants lengths of a volume that has no voxel size."""
    return (
        f"{what} is in nm, and the volume has no voxel size; give it one, voxel_size=(y, x) in nm "
        f"of the volume or the dataset, or take what is counted in voxels"
    )


def _single(role: str, array: Array) -> Array:
    """Truth, of one channel where no other is of use.  ValueError for labels that are no
    integers."""
    if role == "labels":
        return of_ids(array)
    return array if role.startswith("arrays.") else array.without_channel()


def _read_as(volume: Volume, role: str, array: Array) -> Array:
    """An array at the scale of the volume."""
    if volume.scale is None:
        return array
    return at_scale(array, volume.scale, _how(role, array), axes=value_for(volume.axes, role))


def _how(role: str, array: Array) -> How:
    """What becomes of voxels that are read as one; see `Volume.scale`."""
    if role == "labels_mask":
        return "all"
    return "mean" if role == "raw" or array.dtype.kind == "f" else "majority"
