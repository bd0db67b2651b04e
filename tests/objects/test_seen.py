"""What no window shows says nothing: objects that several windows show are those of the whole."""

from types import SimpleNamespace

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from scipy import ndimage

from lsd.objects.instance import instance_at
from lsd.objects.seeds import Seed
from lsd.objects.sight import Sight
from lsd.objects.windows import Lattice
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.spec import Box, Consensus, Instance, Occupancy, Segment, UNet
from lsd.targets.occupancy import occupancy
from lsd.targets.target import target_kind

SIZE = 64
REGION = Roi((0, 0), (SIZE, SIZE))
KERNEL = Box(size=(9, 9))


def winding(seed: int) -> np.ndarray:
    """The largest of objects of odd shapes, (y, x)."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((SIZE, SIZE)), 5)
    pieces, _ = ndimage.label(noise > np.percentile(noise, 60))
    return pieces == np.bincount(pieces[pieces > 0]).argmax()


def sight_of(settings: Segment, target: Occupancy) -> Sight:
    """Of a plane, without a network."""
    network = SimpleNamespace(dims=2, trunk=UNet(factors=((2, 2),), kernels=((3, 3),)))
    predictor = SimpleNamespace(network=network, targets={"head": target_kind(target)})
    volume = SimpleNamespace(roi=REGION, voxel_size=(1.0, 1.0), calibrated=True)
    return Sight(volume, predictor, settings=settings)


@pytest.mark.parametrize("seed", [0, 15, 22, 31])
@pytest.mark.parametrize("decoder", [Consensus(head="head"), Instance(inside=0.8)], ids=["", "i"])
def test_objects_in_windows_are_those_of_the_whole(seed, decoder) -> None:
    labels = winding(seed).astype(np.uint64)
    target = Occupancy(
        mode="foreground" if isinstance(decoder, Consensus) else "instance", kernel=KERNEL
    )
    settings = Segment(decoder=decoder, affinities="head", thresholds=(0.7,))
    sight = sight_of(settings, target)
    # as a network may see it, beyond the border as well
    around = np.pad(labels, 8, mode="reflect")
    offsets = target.offsets_in(2)
    values = occupancy(around, offsets, mode=target.mode)[0][:, 8:-8, 8:-8]
    heads = {"head": Prediction.of(values, sight.channels["head"], limits=(0, 1), voxel_size=None)}
    found = decoder_of(settings).decode(heads, settings).segmentation(0.7)
    whole = found == np.bincount(found[found > 0]).argmax()
    middle = ndimage.distance_transform_edt(whole)
    voxel = Coordinate(map(int, np.unravel_index(middle.argmax(), middle.shape)))
    point = Seed(1, voxel, Roi(voxel, (1, 1)))
    lattice = Lattice.around(
        point.box,
        voxel,
        window=Coordinate((16, 16)),
        overlap=0.25,
        step=Coordinate((2, 2)),
        limit=REGION,
    )
    instance = instance_at(
        point,
        lattice,
        look=lambda roi: {"head": values[:, *roi.to_slices()]},
        decode=sight.decode,
        most=64,
        region=REGION,
    )
    mask = np.zeros(whole.shape, bool)
    mask[instance.roi.to_slices()] = instance.mask
    assert instance.windows > 3
    assert whole.sum() > 800
    np.testing.assert_array_equal(mask, whole)
