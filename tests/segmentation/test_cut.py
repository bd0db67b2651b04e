"""Which fragments are one again that a face cut: those of most of the contact.  Against a loop over
voxels of faces."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.segmentation.decoders.watershed import WatershedDecoder
from lsd.segmentation.over_blocks.fragments import FRAGMENTS, UNCUT
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.predicted import prediction_input
from lsd.spec import NEAREST, Segment
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

FLAT = ((-1, 0), (0, -1))


def found(folder, fragments, uncut, *, block, neighborhood):
    """{(u, v): uncut} of the contacts of all blocks."""
    dims = fragments.ndim
    roi, size = Roi((4, -2, 7)[-dims:], fragments.shape), (1.0,) * dims
    affs = np.full((len(neighborhood), *fragments.shape), 0.5, np.float32)
    create_array(
        folder / "in.zarr", "affs", roi=roi, voxel_size=size, dtype=np.float32, channels=len(affs)
    ).write(affs, roi)
    for name, data in ((FRAGMENTS, fragments.astype(np.uint64)), (UNCUT, uncut.astype(np.uint8))):
        create_array(folder / "out.zarr", name, roi=roi, voxel_size=size, dtype=data.dtype).write(
            data, roi
        )
    far = (0,) * (dims - len(neighborhood[0])) + (1,) * len(neighborhood[0])
    grid = tile(roi, block, step=(1,) * dims, context=(far, far))
    given = prediction_input(open_array(folder / "in.zarr", "affs"), revision=None)
    inputs = Inputs(Segment(), roi, {"affs": HeadInput(given, neighborhood)}, None)
    decoder = WatershedDecoder(inputs.settings.decoder)
    step = decoder.contacts(inputs, folder / "out.zarr").open(0)
    rows = [step.compute(part, step.read(part)).rows for part in grid]
    return {
        (int(u), int(v)): bool(cut)
        for part in rows
        for u, v, cut in zip(part["u"], part["v"], part["uncut"], strict=True)
    }


def by_loop(fragments, uncut, block, axes):
    """Pairs of which more than half of the contact at a face, along one axis, is uncut."""
    counts = {}
    for voxel in np.ndindex(fragments.shape):
        for axis in axes:
            if voxel[axis] and voxel[axis] % block[axis] == 0:
                before = tuple(v - (a == axis) for a, v in enumerate(voxel))
                u, v = int(fragments[before]), int(fragments[voxel])
                if u and v:
                    face = counts.setdefault((u, v, axis, voxel[axis]), [0, 0])
                    face[0] += int(uncut[voxel]) >> axis & 1
                    face[1] += 1
    return {(u, v) for (u, v, *_), (same, all_) in counts.items() if 2 * same > all_}


@pytest.mark.parametrize(
    ("same", "joined"), [(0, False), (2, False), (3, False), (4, True), (6, True)]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_more_than_half_of_a_contact(tmp_path, axis, same, joined) -> None:
    shape = [1, 1, 1]
    shape[axis], shape[axis - 1] = 4, 6
    fragments = np.ones(shape, np.uint64)
    behind = [slice(None)] * 3
    behind[axis] = slice(2, None)
    fragments[tuple(behind)] = 2
    uncut = np.zeros(shape, np.uint8)
    behind[axis], behind[axis - 1] = 2, slice(0, same)
    uncut[tuple(behind)] = 1 << axis
    block = [6, 6, 6]
    block[axis] = 2
    assert found(tmp_path, fragments, uncut, block=block, neighborhood=NEAREST) == {(1, 2): joined}
    # what is noted for another axis is no matter
    other = (uncut > 0).astype(np.uint8) << np.uint8((axis + 1) % 3)
    assert found(tmp_path / "other", fragments, other, block=block, neighborhood=NEAREST) == {
        (1, 2): False
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("way", ["3d", "plane", "2d network"])
def test_any_faces(tmp_path, way, seed) -> None:
    rng = np.random.default_rng(seed)
    shape, block = ((6, 8, 9), (3, 4, 3)) if way != "plane" else ((8, 9), (4, 3))
    # ids of their block, two and holes in each
    numbers = np.zeros(shape, np.int64)
    for index in np.ndindex(*(-(-n // b) for n, b in zip(shape, block, strict=True))):
        part = tuple(slice(i * b, (i + 1) * b) for i, b in zip(index, block, strict=True))
        first = 1 + 3 * int(
            np.ravel_multi_index(index, [-(-n // b) for n, b in zip(shape, block, strict=True)])
        )
        numbers[part] = first + rng.integers(0, 2, numbers[part].shape)
    numbers[rng.random(shape) < 0.2] = 0
    uncut = rng.integers(0, 8, shape)
    neighborhood = NEAREST if way == "3d" else FLAT
    axes = [0, 1, 2] if way == "3d" else [1, 2] if way == "2d network" else [0, 1]
    told = {
        pair
        for pair, cut in found(
            tmp_path, numbers, uncut, block=block, neighborhood=neighborhood
        ).items()
        if cut
    }
    expected = by_loop(numbers, uncut, block, axes)
    assert told == expected
    assert expected
