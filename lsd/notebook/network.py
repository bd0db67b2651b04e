"""A trained network, from its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, names_of, number, per_axis
from lsd.arrays.caller import warn_caller
from lsd.network.checkpoints.restore import Restored, from_checkpoint
from lsd.notebook.checkpoints import checkpoint_file
from lsd.notebook.heads import Heads
from lsd.notebook.settings import with_settings
from lsd.notebook.volume import VolumeOnDisk
from lsd.prediction.array import predict_roi, reflected
from lsd.prediction.plan import check_axes
from lsd.prediction.predictor import Predictor
from lsd.prediction.voxels import other_voxels
from lsd.spec import Config, Predict
from lsd.spec.kinds import import_kinds
from lsd.spec.mistakes import brief
from lsd.targets.target import target_kind
from lsd.volumes.intensity import check_range, first_not_finite, signed, to_unit
from lsd.volumes.raw_checks import check_raw, lost_by_range
from lsd.volumes.units import agree

# raw of a ROI in world voxels, in -1..1
Read = Callable[[Roi], NDArray[np.float32]]
# images have integers of two bytes at most; wider ones are what numpy made of them
_IMAGE_BYTES = 2
# fields of lsd.spec.Predict that say how an array is predicted
SETTINGS = (
    "augment", "opinions", "precision", "channels_last", "compile", "device", "threads", "memory",
    "shape",
)  # fmt: skip


class Network:
    """A trained network; see `load`.

    config: that it was trained with; iteration: after which its weights were kept
    voxel_size: nm, of what it was trained on, None where the checkpoint does not say
    """

    def __init__(self, restored: Restored) -> None:
        self._restored = restored
        self.config: Config = restored.config
        self.iteration = restored.iteration
        self.voxel_size = restored.voxel_size

    @property
    def dims(self) -> int:
        """2 or 3: the axes that the network sees.  A 2D network takes a 3D volume section by
        section."""
        return self.config.network.dims

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of all heads; those of the last stage are predicted by default."""
        return tuple(self._restored.cascade.variant.heads())

    def neighborhood(self, head: str = "affs") -> tuple[tuple[int, ...], ...]:
        """Offsets in voxels of a head of affinities, a channel each, as lsd.segment takes them."""
        heads = self._restored.cascade.variant.heads()
        target = heads[head].target if head in heads else None
        offsets = None if target is None else target_kind(target).neighborhood(self.dims)
        if offsets is None:
            raise ValueError(f"{head!r} is no head of affinities; heads are {', '.join(heads)}")
        return offsets

    def __repr__(self) -> str:
        size = self.voxel_size and " x ".join(f"{nm:g}" for nm in self.voxel_size)
        return (
            f"Network({self.config.name!r}, {self.dims}D, heads {', '.join(self.heads)}, iteration "
            f"{self.iteration}{f', trained on voxels of {size} nm' if size else ''})"
        )

    @explaining_calls
    def predict(
        self,
        raw: Any,
        *,
        voxel_size: float | Sequence[float] | None = None,
        raw_range: tuple[float, float] | None = None,
        heads: str | Sequence[str] = (),
        progress: Callable[[Any], object] | None = None,
        **settings: Any,
    ) -> Heads:
        """Heads of raw: {name: float32 (c, z, y, x)}, of the extent of raw, in the range of what
        each learns (0..1 of affinities and descriptors).  lsd.segment takes them as they are.

        raw:        (z, y, x), or (y, x) for a 2D network: uint8 as it is, anything else with its
                    range; or a volume from lsd.open_volume.  It is mirrored beyond its borders,
                    and not changed
        voxel_size: nm, one an axis, or one for all; of a volume it is known
        raw_range:  values of raw that are black and white, (low, high), or (high, low) where
                    membranes are bright; None: 0..255 of uint8.  A volume has one of its own
        heads:      which to predict; empty: those of the last stage
        progress:   called with each block that is done
        settings:   any of these fields of lsd.spec.Predict: augment ("flips" is slower and
                    better), opinions, precision, channels_last, compile, device ("cuda"), threads,
                    memory (GB for a block), shape

        Raises ValueError for raw that is not 2D or 3D, holds NaN or inf, or whose range is not
        known, for a volume whose raw becomes one value by its range, and for keywords and settings
        that are none; warns where an array does so, or mostly lies outside its range, and where
        voxels are of another size than those that the network was trained on.

        >>> import lsd, numpy
        >>> network = lsd.load("pretrained/fib25_mtlsd.pt")
        >>> raw = numpy.zeros((16, 16, 16), numpy.uint8)
        >>> heads = network.predict(raw, voxel_size=(10, 10, 10))
        >>> {name: head.shape for name, head in heads.items()}
        {'lsds': (10, 16, 16, 16), 'affs': (3, 16, 16, 16)}
        """
        if progress is not None and not callable(progress):
            raise ValueError(
                f"progress is a function, called with each block that is done, got {progress!r}"
            )
        wanted = with_settings(
            Predict(heads=names_of(heads, "heads"), dtype="float32"),
            settings,
            allowed=SETTINGS,
            of=self.predict,
        )
        roi, read, size = self._source(raw, voxel_size, _range(raw_range))
        check_axes(self.config.network, roi.dims)
        words = other_voxels(size, self._restored.voxel_size, dims=self.config.network.dims)
        if words:
            warn_caller(f"raw has {words}")
        predictor = Predictor(self._restored.cascade, self.config.network, settings=wanted)
        arrays = predict_roi(predictor, roi, read=read, voxel_size=size, progress=progress)
        return self._described(arrays, predictor, voxel_size=size)

    def _described(
        self,
        arrays: Mapping[str, NDArray[np.float32]],
        predictor: Predictor,
        *,
        voxel_size: tuple[float, ...],
    ) -> Heads:
        """The heads, with what decoders must know of them."""
        kinds = predictor.targets
        offsets = {name: kind.neighborhood(self.dims) for name, kind in kinds.items()}
        around = {name: kind.occupancy_offsets(self.dims) for name, kind in kinds.items()}
        return Heads(
            arrays,
            neighborhoods={name: each for name, each in offsets.items() if each is not None},
            ranges={
                name: (kind.activation.low, kind.activation.high) for name, kind in kinds.items()
            },
            occupancies={name: each for name, each in around.items() if each is not None},
            channels={name: kind.channel_names(self.dims) for name, kind in kinds.items()},
            voxel_size=voxel_size,
        )

    def _source(
        self,
        raw: Any,
        voxel_size: float | Sequence[float] | None,
        raw_range: tuple[float, float] | None,
    ) -> tuple[Roi, Read, tuple[float, ...]]:
        """What is predicted, how raw in -1..1 is read around it, and its voxel size."""
        if isinstance(raw, VolumeOnDisk):
            if raw_range is not None:
                raise ValueError(
                    "the volume has a raw_range of its own; give it to lsd.open_volume instead"
                )
            volume = raw.opened
            _check_voxel_size(voxel_size, volume.voxel_size)
            check_raw(volume)
            return volume.roi, lambda part: signed(volume.read_raw(part)), volume.voxel_size
        array = _checked(raw, raw_range)
        lost = lost_by_range(array, *(raw_range or (0.0, 255.0)))
        if lost:
            warn_caller(lost)
        size = _voxel_size(voxel_size, array.ndim)
        roi = Roi((0,) * array.ndim, array.shape)
        return roi, lambda part: signed(to_unit(reflected(array, part), raw_range)), size


@explaining_calls
def load(checkpoint: str | Path, imports: str | Sequence[str] = ()) -> Network:
    """The network of a checkpoint, ready to predict.

    checkpoint: path of a .pt file, such as runs/<name>/<stage>/checkpoints/best.pt
    imports:    modules of one's own that define what the network was trained with (a target, a
                trunk, a loss), as its config names them in `imports`.  They are code: a checkpoint
                is data, and imports nothing by itself

    Weights are the averaged ones where the checkpoint has both.  Nothing in the file is executed.
    Raises ValueError where the file is missing or damaged (and names others nearby), needs
    modules that `imports` does not name, or is of a version that this one cannot read.

    >>> import lsd
    >>> network = lsd.load("pretrained/fib25_mtlsd.pt")
    >>> network.heads, network.voxel_size
    (('lsds', 'affs'), (10.0, 10.0, 10.0))
    """
    import_kinds(names_of(imports, "imports"))
    return Network(from_checkpoint(checkpoint_file(checkpoint)))


def _checked(raw: Any, raw_range: tuple[float, float] | None) -> NDArray[Any]:
    """Raw as an array that can be scaled."""
    if isinstance(raw, str | os.PathLike):
        raise ValueError(
            f"raw is a path, {str(raw)!r}; open it first: predict(lsd.open_volume({str(raw)!r}))"
        )
    array = np.asarray(raw)
    if array.dtype.kind not in "uif":
        raise ValueError(f"raw is {array.dtype}; allowed: integers and floats")
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(
            f"raw has shape {array.shape}; allowed: (z, y, x), or (y, x), with at least a voxel"
        )
    if raw_range is None and array.dtype.kind in "iu" and array.dtype.itemsize > _IMAGE_BYTES:
        raise ValueError(
            f"raw is {array.dtype}, with values in {array.min()}..{array.max()}; say which of them "
            f"are black and white, as in raw_range=(0, 255)"
        )
    check_range(array.dtype, raw_range)
    voxel = first_not_finite(array)
    if voxel is not None:
        raise ValueError(
            f"raw is {array[voxel]} at voxel {voxel}; replace what is not finite, for instance by "
            f"the value that is black"
        )
    return array


def _voxel_size(voxel_size: float | Sequence[float] | None, dims: int) -> tuple[float, ...]:
    if voxel_size is None:
        raise ValueError(
            "an array does not say how large its voxels are; give voxel_size in nm, one an axis, "
            "as in voxel_size=(40, 4, 4)"
        )
    return per_axis(voxel_size, "voxel_size", dims=dims, of="this raw")


def _check_voxel_size(voxel_size: float | Sequence[float] | None, known: tuple[float, ...]) -> None:
    """Raises ValueError where another voxel size is given than the volume has."""
    if voxel_size is None:
        return
    size = per_axis(voxel_size, "voxel_size", dims=len(known), of="this volume")
    if not agree(size, known):
        raise ValueError(
            f"voxel_size is {size} nm, the volume's is {known}; leave it out, or open the volume "
            f"with another"
        )


def _range(raw_range: Any) -> tuple[float, float] | None:
    """The two values, as numbers."""
    if raw_range is None:
        return None
    try:
        black, white = (number(value, "raw_range") for value in raw_range)
    except (TypeError, ValueError):
        raise ValueError(
            f"raw_range is two numbers, the values of raw that are black and white, as in (0, "
            f"255); got {brief(raw_range)}"
        ) from None
    return black, white
