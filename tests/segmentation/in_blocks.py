"""`affs` segmented in blocks, as the steps of a run do it, without a run."""

from dataclasses import dataclass

import numpy as np
from funlib.geometry import Roi
from scipy import ndimage

from lsd.arrays.pairs import touching
from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.segmentation.decoders.graph import segments_step
from lsd.segmentation.decoders.watershed import WatershedDecoder
from lsd.segmentation.on_disk.tables import FragmentPlaces, write_tables
from lsd.segmentation.over_blocks.fragments import FRAGMENTS, UNCUT
from lsd.segmentation.over_blocks.inputs import (
    HeadInput,
    Inputs,
    segmentation_grid,
    voxels_per_block,
)
from lsd.segmentation.over_blocks.segments import SegmentsFunction
from lsd.segmentation.over_blocks.whole import Graph
from lsd.segmentation.predicted import prediction_input
from lsd.spec import NEAREST, Volume
from lsd.spec import Fragments as Options
from lsd.volumes.create import create_array
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import open_volume

THRESHOLDS = (0.28, 0.29, 0.5)
FLAT = ((-1, 0), (0, -1))
BEGIN, SHAPE = (5, -3, 40), (14, 22, 26)

# name -> (neighborhood, shape, options): the ways in which a volume can be segmented
WAYS = {
    "3d": (NEAREST, SHAPE, Options(min_seed_distance=3)),
    "by affinity": (NEAREST, SHAPE, Options(min_seed_distance=3, boundaries="affinity")),
    "long range": ((*NEAREST, (-4, 0, 0), (0, -5, 3)), SHAPE, Options(min_seed_distance=3)),
    "in_xy": (NEAREST, SHAPE, Options(min_seed_distance=3, in_xy=True)),
    "2d network": (FLAT, SHAPE, Options(min_seed_distance=3)),
    "plane": (FLAT, SHAPE[1:], Options(min_seed_distance=3)),
    "blank, foreground": (
        NEAREST,
        SHAPE,
        Options(min_seed_distance=3, foreground_only=True, blank_sections=(7, 11)),
    ),
}


@dataclass
class Found:
    """What blocks left: fragments, edges, the sizes of each block's fragments, segmentations."""

    grid: Grid
    fragments: np.ndarray
    edges: np.ndarray
    sizes: list
    segments: dict

    @property
    def pairs(self):
        return np.stack([self.edges["u"], self.edges["v"]], axis=1)


def each(grid, function, seed):
    """(block, output) in any order."""
    for index in np.random.default_rng(seed).permutation(len(grid)):
        block = grid.block(int(index))
        yield block, function.compute(block, function.read(block))


def segmented(folder, affs, neighborhood, asked, *, mask=None, seed=0, noting=True):
    """`affs` (c, z, y, x) segmented in blocks, as the steps of a run do it; noting: what faces
    cut."""
    dims = affs.ndim - 1
    roi = Roi(BEGIN[-dims:], affs.shape[1:])
    size = (1.0,) * dims
    given = create_array(
        folder / "in.zarr", "affs", roi=roi, voxel_size=size, dtype=affs.dtype, channels=len(affs)
    )
    given.write(affs, roi)
    grid = segmentation_grid(roi, asked)
    # the context that the edges' step reads
    context = tuple(tuple(max(1, n) for n in side) for side in grid.context)
    wider = tile(roi, grid.compute_shape, step=(1,) * dims, context=context)
    fragments = create_array(
        folder / "out.zarr",
        FRAGMENTS,
        roi=roi,
        voxel_size=size,
        dtype=np.uint64,
        chunks=grid.write_shape,
    )
    sizes, edges = [None] * len(grid), []
    where = masked(folder, roi, mask) if mask is not None else None
    inputs = on_affinities(asked, roi, given, neighborhood, where)
    decoder = WatershedDecoder(asked.decoder)
    uncut = create_array(
        folder / "out.zarr",
        UNCUT,
        roi=roi,
        voxel_size=size,
        dtype=np.uint8,
        chunks=grid.write_shape,
    )
    for block, found in each(grid, decoder.first(inputs, folder / "out.zarr").open(0), seed):
        fragments.write(found.arrays[FRAGMENTS], block.write)
        uncut.write(found.arrays[UNCUT] * np.uint8(noting), block.write)
        sizes[block.index] = found.rows["size"].tolist()
    places = FragmentPlaces.of([len(rows) for rows in sizes], voxels_per_block(grid))
    if asked.grown == "whole":
        edges.append(grown(folder / "out.zarr", inputs, places, np.concatenate(sizes), seed + 1))
    else:
        for _, found in each(
            wider, decoder.edges_of_blocks(inputs, folder / "out.zarr").open(0), seed + 1
        ):
            edges.append(found.rows)
    write_tables(
        folder / "out.zarr",
        asked.thresholds,
        places=places,
        edges=lambda: edges,
        names=str,
        made_from="",
    )
    segments = {threshold: np.zeros(roi.shape, np.uint64) for threshold in asked.thresholds}
    step = segments_step(
        inputs,
        folder / "out.zarr",
        decoder.first(inputs, folder),
        {str(t): str(t) for t in asked.thresholds},
        name="segmentation",
    )
    job = step.job.derive(made_from="")
    for block, found in each(grid, SegmentsFunction(job, folder / "out.zarr"), seed + 2):
        for threshold, whole in segments.items():
            whole[(block.write - roi.begin).to_slices()] = found.arrays[str(threshold)]
    return Found(grid, fragments.read(roi), np.concatenate(edges), sizes, segments)


def grown(container, inputs, places, sizes, seed):
    """Edges of the whole volume from the contacts of its blocks."""
    decoder = WatershedDecoder(inputs.settings.decoder)
    contacts = decoder.contacts(inputs, container)
    rows = [found.rows for _, found in each(contacts.grid, contacts.open(0), seed)]
    whole = decoder.edges_of_all(inputs, container, contacts).open(0)
    return whole.compute(None, Graph(places, sizes, np.concatenate(rows))).rows


def on_affinities(asked, roi, affs, neighborhood, mask):
    """What the steps of a volume are made from."""
    head = HeadInput(prediction_input(affs, revision=None), neighborhood)
    return Inputs(asked, roi, {asked.affinities: head}, mask)


def masked(folder, roi, mask):
    """A volume with that mask."""
    for name, data in (("raw", mask), ("mask", mask)):
        create_array(
            folder / "volume.zarr", name, roi=roi, voxel_size=(1.0,) * roi.dims, dtype=np.uint8
        ).write(data.astype(np.uint8), roi)
    spec = Volume(path="volume.zarr", raw="raw", labels_mask="mask")
    return VolumeInput.known(open_volume(spec, name="volume", data_root=folder), folder, roi=roi)


def noise(channels, shape, seed):
    """Affinities that look like some."""
    data = ndimage.gaussian_filter(
        np.random.default_rng(seed).random((channels, *shape)), (0, *[1.2] * len(shape))
    )
    low, high = np.percentile(data, [5, 90])
    return (255 * np.clip((data - low) / (high - low), 0, 1)).astype(np.uint8)


def contacts(fragments, neighborhood):
    """All pairs that touch where affinities say how surely: within sections, of a 2D network."""
    planes = fragments if len(neighborhood[0]) < fragments.ndim else [fragments]
    return {pair for plane in planes for pair in map(tuple, touching(plane).tolist())}
