"""A trained network, from its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.told import tell
from lsd.network.checkpoints.restore import Restored, from_checkpoint
from lsd.notebook.settings import chosen
from lsd.notebook.volume import VolumeOnDisk
from lsd.prediction.array import predict_roi, reflected
from lsd.prediction.plan import check_axes
from lsd.prediction.predictor import Predictor
from lsd.prediction.voxels import other_voxels
from lsd.spec import Config, Predict
from lsd.spec.kinds import import_kinds
from lsd.spec.written import expanded
from lsd.targets.target import target_kind
from lsd.volumes.intensity import check_range, first_not_finite, signed, to_unit
from lsd.volumes.units import agree

Heads = dict[str, NDArray[np.float32]]
# raw of a ROI in world voxels, in -1..1
Read = Callable[[Roi], NDArray[np.float32]]
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

    def predict(
        self,
        raw: Any,
        *,
        voxel_size: Sequence[float] | None = None,
        raw_range: tuple[float, float] | None = None,
        heads: str | Sequence[str] = (),
        progress: Callable[[Any], object] | None = None,
        **settings: Any,
    ) -> Heads:
        """Heads of raw: {name: float32 (c, z, y, x) in 0..1}, of the extent of raw.

        raw:        (z, y, x), or (y, x) for a 2D network: uint8 as it is, anything else with its
                    range; or a volume from lsd.open_volume.  It is mirrored beyond its borders,
                    and not changed
        voxel_size: nm, one an axis; of a volume it is known
        raw_range:  values of raw that are black and white, (low, high), or (high, low) where
                    membranes are bright; None: 0..255 of uint8.  A volume has one of its own
        heads:      which to predict; empty: those of the last stage
        progress:   called with each block that is done
        settings:   any of these fields of lsd.spec.Predict: augment ("flips" is slower and
                    better), opinions, precision, channels_last, compile, device ("cuda"), threads,
                    memory (GB for a block), shape

        Raises ValueError for raw that is not 2D or 3D, holds NaN or inf, or whose range is not
        known, and for settings that are none; warns where voxels are of another size than those
        that the network was trained on.

        >>> import lsd, numpy
        >>> network = lsd.load("pretrained/fib25_mtlsd.pt")
        >>> raw = numpy.zeros((16, 16, 16), numpy.uint8)
        >>> heads = network.predict(raw, voxel_size=(10, 10, 10))
        >>> {name: head.shape for name, head in heads.items()}
        {'lsds': (10, 16, 16, 16), 'affs': (3, 16, 16, 16)}
        """
        wanted = (heads,) if isinstance(heads, str) else tuple(heads)
        roi, read, size = self._source(raw, voxel_size, raw_range)
        check_axes(self.config.network, roi.dims)
        words = other_voxels(size, self._restored)
        if words:
            tell(f"raw has {words}")
        asked = chosen(Predict(heads=wanted, dtype="float32"), settings, allowed=SETTINGS)
        predictor = Predictor(self._restored.cascade, self.config.network, settings=asked)
        return predict_roi(predictor, roi, read=read, voxel_size=size, progress=progress)

    def _source(
        self,
        raw: Any,
        voxel_size: Sequence[float] | None,
        raw_range: tuple[float, float] | None,
    ) -> tuple[Roi, Read, tuple[float, ...]]:
        """What is predicted, how raw in -1..1 is read around it, and its voxel size."""
        if isinstance(raw, VolumeOnDisk):
            if raw_range is not None:
                raise ValueError(
                    "the volume has a raw_range of its own; give it to lsd.open_volume instead"
                )
            volume = raw.opened
            if voxel_size is not None and not agree(tuple(voxel_size), volume.voxel_size):
                raise ValueError(
                    f"voxel_size is {tuple(voxel_size)} nm, the volume's is {volume.voxel_size}; "
                    f"leave it out, or open the volume with another"
                )
            return volume.roi, lambda part: signed(volume.read_raw(part)), volume.voxel_size
        array = _checked(raw, raw_range)
        size = _voxel_size(voxel_size, array.ndim)
        roi = Roi((0,) * array.ndim, array.shape)
        return roi, lambda part: signed(to_unit(reflected(array, part), raw_range)), size


def load(checkpoint: str | Path, imports: str | Sequence[str] = ()) -> Network:
    """The network of a checkpoint, ready to predict.

    checkpoint: path of a .pt file, such as runs/<name>/<stage>/checkpoints/best.pt
    imports:    modules of one's own that define what the network was trained with (a target, a
                trunk, a loss), as its config names them in `imports`.  They are code: a checkpoint
                is data, and imports nothing by itself

    Weights are the averaged ones where the checkpoint has both.  Nothing in the file is executed.
    Raises ValueError where the file is missing or damaged (and names a whole one beside it), needs
    modules that `imports` does not name, or is of a version that this one cannot read.

    >>> import lsd
    >>> network = lsd.load("pretrained/fib25_mtlsd.pt")
    >>> network.heads, network.voxel_size
    (('lsds', 'affs'), (10.0, 10.0, 10.0))
    """
    import_kinds((imports,) if isinstance(imports, str) else imports)
    return Network(from_checkpoint(expanded(checkpoint)))


def _checked(raw: Any, raw_range: tuple[float, float] | None) -> NDArray[Any]:
    """Raw as an array that can be scaled."""
    array = np.asarray(raw)
    if array.dtype.kind not in "uif":
        raise ValueError(f"raw is {array.dtype}; allowed: integers and floats")
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(
            f"raw has shape {array.shape}; allowed: (z, y, x), or (y, x), with at least a voxel"
        )
    check_range(array.dtype, raw_range)
    where = first_not_finite(array)
    if where is not None:
        raise ValueError(
            f"raw is {array[where]} at voxel {where}; replace what is not finite, for instance by "
            f"the value that is black"
        )
    return array


def _voxel_size(voxel_size: Sequence[float] | None, dims: int) -> tuple[float, ...]:
    if voxel_size is None:
        raise ValueError(
            "an array does not say how large its voxels are; give voxel_size in nm, one an axis, "
            "as in voxel_size=(40, 4, 4)"
        )
    size = tuple(float(nm) for nm in voxel_size)
    if len(size) != dims or not all(nm > 0 for nm in size):
        raise ValueError(
            f"voxel_size is {tuple(voxel_size)}, raw has {dims} axes; give nm above 0, one an axis"
        )
    return size
