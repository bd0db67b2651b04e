"""Skeletons of the synthetic volume, held against its labels; and volumes with faint membranes."""

import json

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.skeletons import labels_at
from lsd.spec import Synthetic
from lsd.spec.effect import effective
from lsd.synthetic import skeletons, synthesize
from lsd.volumes.generated import path

RAW, IDS = "volumes/raw", "volumes/labels/neuron_ids"
SPECS = {
    "isotropic": Synthetic(shape=(64, 64, 64), seed=5),
    "anisotropic": Synthetic(kind="anisotropic", shape=(16, 96, 96), voxel_size=(40, 6, 6), seed=6),
}


@pytest.fixture(scope="module", params=SPECS.values(), ids=SPECS)
def traced(request):
    return request.param, synthesize(request.param)[IDS], skeletons(request.param)


def test_every_node_lies_in_its_label(traced) -> None:
    spec, labels, lines = traced
    found = labels_at(labels, lines.positions, voxel_size=spec.voxel_size)
    assert np.array_equal(found, lines.skeleton_ids)
    assert lines.skeleton_ids.min() > 0


def test_what_is_large_has_a_skeleton(traced) -> None:
    spec, labels, lines = traced
    sizes = np.bincount(labels.ravel())
    large = np.flatnonzero(sizes > 3000)
    assert len(large) > 5
    assert np.isin(large[large > 0], lines.skeleton_ids).mean() > 0.9
    # as long as neurites are that fill the volume, and no longer
    length = lines.lengths.sum() / 1000
    volume = np.prod(spec.shape) * np.prod(spec.voxel_size) / 1e9
    assert 20 < length / volume < 200


def test_nodes_lie_deep_inside(traced) -> None:
    """Center lines: further from the border than voxels of the same labels are."""
    spec, labels, lines = traced
    border = np.zeros(labels.shape, bool)
    for axis in (1, 2):
        differ = np.diff(labels.astype(np.int64), axis=axis) != 0
        np.moveaxis(border, axis, 0)[1:] |= np.moveaxis(differ, axis, 0)
    depth = ndimage.distance_transform_edt(~border, sampling=spec.voxel_size)
    at_nodes = labels_at(
        (depth * 100).astype(np.uint64), lines.positions, voxel_size=spec.voxel_size
    )
    inside = np.isin(labels, np.unique(lines.skeleton_ids))
    assert np.median(at_nodes) / 100 > 1.3 * np.median(depth[inside])


def test_edges_are_steps_of_the_path(traced) -> None:
    _, _, lines = traced
    assert lines.lengths.max() < 150
    assert 10 < np.median(lines.lengths) < 50
    ends = np.unique(lines.places)
    assert np.array_equal(ends, np.arange(len(lines)))
    # few hang apart: pieces are of what leaves the volume, or was pressed away
    count = len(np.unique(lines.pieces().skeleton_ids))
    assert count < 3 * len(np.unique(lines.skeleton_ids))


def test_the_same_seed_gives_the_same_skeletons() -> None:
    spec = Synthetic(shape=(20, 17, 24), voxel_size=(16, 16, 16), seed=3)
    once, again = skeletons(spec), skeletons(spec)
    assert np.array_equal(once.positions, again.positions)
    assert np.array_equal(once.edges, again.edges)
    assert len(once) > 20
    other = skeletons(spec.derive(seed=4))
    assert not np.array_equal(once.positions, other.positions)


def test_faint_membranes_change_raw_alone() -> None:
    spec = Synthetic(shape=(32, 32, 32), seed=2)
    clear, faint = synthesize(spec), synthesize(spec.derive(membranes=0.4))
    assert np.array_equal(clear[IDS], faint[IDS])
    labels = clear[IDS]
    border = np.zeros(labels.shape, bool)
    border[1:] |= labels[1:] != labels[:-1]
    brighter = faint[RAW][border].astype(float) - clear[RAW][border]
    assert np.median(brighter) > 15


def test_volumes_of_before_are_found_under_the_same_names(tmp_path) -> None:
    spec = Synthetic(shape=(64, 64, 64), seed=3)
    assert (
        path(spec, tmp_path).name == "synthetic_isotropic_64x64x64_10x10x10nm_seed3_c66b3654.zarr"
    )
    assert path(spec.derive(membranes=0.5), tmp_path) != path(spec, tmp_path)
    assert "membranes" not in json.loads(spec.model_dump_json())
    assert "membranes" not in effective(spec)
    assert effective(spec.derive(membranes=0.5))["membranes"] == 0.5
    assert Synthetic.model_validate_json(spec.model_dump_json()) == spec


def test_refuses() -> None:
    with pytest.raises(ValueError, match="synthetic volume has three axes"):
        skeletons(Synthetic(shape=(64, 64)))
