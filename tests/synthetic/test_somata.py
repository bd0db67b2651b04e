"""Cell bodies in neuropil, made block by block."""

import hashlib
import tracemalloc

import cc3d
import numpy as np
import pytest
from scipy import ndimage

from lsd.spec import Somata, Synthetic, Volume
from lsd.synthetic import parts, skeletons, synthesize
from lsd.synthetic.cells import cells
from lsd.synthetic.generator import Part
from lsd.synthetic.somata import SomataGenerator

RAW, SOMATA, NUCLEI = "volumes/raw", "volumes/labels/somata", "volumes/labels/nuclei"
# two pairs of cells, of which one cell is whole
SPEC = Somata(shape=(96, 112, 128), seed=13, fraction=0.12)


@pytest.fixture(scope="module")
def volume():
    return synthesize(SPEC)


def test_arrays(volume) -> None:
    assert {name: array.dtype.name for name, array in volume.items()} == {
        RAW: "uint8",
        SOMATA: "uint64",
        NUCLEI: "uint64",
    }
    assert all(array.shape == SPEC.shape for array in volume.values())


@pytest.mark.parametrize(
    ("begin", "shape"),
    [((13, 50, 61), (40, 33, 20)), ((60, 0, 90), (5, 70, 38)), ((0, 0, 0), (1, 2, 3))],
)
def test_any_block_is_the_same_whatever_the_blocks_are(volume, begin, shape) -> None:
    part = SomataGenerator(SPEC).part(begin, shape)
    assert part.shape == shape
    for name, array in part.arrays.items():
        np.testing.assert_array_equal(array, volume[name][part.place], err_msg=name)


def test_parts_are_the_volume_each_voxel_once() -> None:
    spec = SPEC.derive(shape=(20, 70, 66))
    seen = np.zeros(spec.shape, int)
    for part in parts(spec):
        seen[part.place] += 1
        assert max(part.shape) <= 64
    assert (seen == 1).all()


def test_a_large_volume_takes_no_more_memory_than_a_small_one() -> None:
    def peak(side: int) -> int:
        made = parts(SPEC.derive(shape=(side,) * 3))
        tracemalloc.start()
        next(made)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    next(parts(SPEC))  # whatever is made once
    assert peak(512) < 1.05 * peak(128)


def test_cells_are_numbered_and_each_is_one_piece(volume) -> None:
    for name in (SOMATA, NUCLEI):
        count = len(SomataGenerator(SPEC).cells)
        labels = volume[name]
        assert set(np.unique(labels[labels > 0])) <= set(range(1, count + 1))
        pieces = cc3d.connected_components(labels, connectivity=6)
        assert pieces.max() == len(np.unique(labels[labels > 0]))
    assert np.array_equal(np.unique(volume[SOMATA]), np.arange(count + 1))


def test_each_cell_has_its_nucleus_inside(volume) -> None:
    somata, nuclei = volume[SOMATA], volume[NUCLEI]
    assert np.array_equal(nuclei[nuclei > 0], somata[nuclei > 0])
    sizes, of_nuclei = (np.bincount(labels.ravel()) for labels in (somata, nuclei))
    assert (of_nuclei[1:] / sizes[1:] > 0.08).any()
    assert (of_nuclei[1:] < 0.4 * sizes[1:]).all()
    # cytoplasm around it everywhere
    depth = ndimage.distance_transform_edt(np.pad(somata, 1, mode="edge") > 0)[1:-1, 1:-1, 1:-1]
    assert depth[nuclei > 0].min() > 2


def test_cells_are_as_wide_as_is_said_and_pairs_touch() -> None:
    """Of many cells, by where they are: the labels of some are compared with this below."""
    made = cells(2, (1000.0, 1000.0, 1000.0), fraction=0.12)
    line = np.linalg.norm(made.bodies.end - made.bodies.begin, axis=1)
    radius = made.bodies.radius[:, 0]
    assert (2 * radius).min() >= 32
    assert (2 * radius + line).max() <= 96
    middle = (made.bodies.begin + made.bodies.end) / 2
    apart = np.linalg.norm(middle[:, None] - middle[None], axis=2)
    touching = (apart > 0) & (apart < radius[:, None] + radius[None])
    assert 0.2 < touching.any(axis=1).mean() < 0.9
    # none lies within another
    assert (apart[touching] > 0.8 * (radius[:, None] + radius[None])[touching]).all()


@pytest.mark.parametrize("fraction", [0.03, 0.12])
def test_cells_fill_about_the_part_that_is_asked_for(fraction) -> None:
    side = 1500.0
    made = cells(5, (side,) * 3, fraction=fraction)
    line = np.linalg.norm(made.bodies.end - made.bodies.begin, axis=1).astype(float)
    radius = made.bodies.radius[:, 0].astype(float)
    volumes = 4 / 3 * np.pi * radius**3 + np.pi * radius**2 * line
    assert volumes.sum() / side**3 == pytest.approx(fraction, rel=0.15)


def test_labels_are_where_cells_were_put(volume) -> None:
    """By definition: voxels nearer to the line along a cell than its radius, in space that is bent
    by some voxels."""
    bodies, labels = SomataGenerator(SPEC).cells.bodies, volume[SOMATA]
    voxels = np.moveaxis(np.indices(SPEC.shape), 0, -1).astype(float)
    distances = []
    for begin, end, radius in zip(bodies.begin, bodies.end, bodies.radius[:, 0], strict=True):
        along = (end - begin).astype(float)
        share = np.clip((voxels - begin) @ along / max((along**2).sum(), 1e-9), 0, 1)
        away = np.linalg.norm(voxels - begin - share[..., None] * along, axis=-1)
        distances.append(away - radius)
    nearest, depth = np.argmin(distances, axis=0), np.min(distances, axis=0)
    expected = np.where(depth < 0, nearest + 1, 0)
    for label in range(1, len(bodies) + 1):
        both = (labels == label) & (expected == label)
        either = (labels == label) | (expected == label)
        assert both.sum() / either.sum() > 0.7
        # nothing further away than space is bent
        assert (depth[(labels > 0) != (expected > 0)] > -7).all()
        assert (depth[labels == label] < 7).all()


def test_some_cells_are_cut_and_some_are_pressed_on_each_other(volume) -> None:
    labels = volume[SOMATA].astype(np.int64)
    cut = np.unique(np.concatenate([np.take(labels, (0, -1), axis).ravel() for axis in range(3)]))
    assert 0 < np.count_nonzero(cut) < labels.max()
    touch = [
        (a != b) & (a > 0) & (b > 0)
        for axis in range(3)
        for a, b in [(np.moveaxis(labels, axis, 0)[1:], np.moveaxis(labels, axis, 0)[:-1])]
    ]
    assert sum(np.count_nonzero(faces) for faces in touch) > 100


def test_raw_shows_membranes_around_cells(volume) -> None:
    raw, labels = volume[RAW].astype(float), volume[SOMATA] > 0
    depth = ndimage.distance_transform_edt(labels) - ndimage.distance_transform_edt(~labels)
    border, inside = np.abs(depth) <= 1, depth > 4
    assert raw[border].mean() < raw[inside].mean() - 30
    # neurites end where they are not alone, so raw has membranes outside, and fewer inside
    assert raw[depth < -6].std() > 1.3 * raw[inside].std()
    nuclei = volume[NUCLEI] > 0
    deep = ndimage.binary_erosion(nuclei, iterations=3)
    assert raw[deep].mean() > raw[inside & ~nuclei].mean() + 3


def test_the_seed_decides_and_membranes_change_raw_alone() -> None:
    small = Somata(shape=(32, 40, 36), seed=13, fraction=0.12)
    once, again = synthesize(small), synthesize(small)
    other, faint = synthesize(small.derive(seed=-2)), synthesize(small.derive(membranes=0.4))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert not np.array_equal(once[RAW], other[RAW])
    assert np.array_equal(once[SOMATA], faint[SOMATA])
    assert faint[RAW].mean() > once[RAW].mean() + 5


def test_the_volumes_of_a_version_stay_the_same() -> None:
    """Where this changes, `lsd.volumes.generated.VERSION` must too."""
    arrays = synthesize(Somata(shape=(32, 40, 36), seed=13, fraction=0.12))
    assert set(arrays) == {RAW, SOMATA, NUCLEI}
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in (RAW, SOMATA, NUCLEI)))
    assert digest.hexdigest()[:16] == "8e95c06509aca791"


def test_flat_voxels_show_the_same_tissue_in_fewer_sections() -> None:
    even = Somata(shape=(64, 48, 40), seed=13, fraction=0.12)
    flat = even.derive(shape=(32, 48, 40), voxel_size=(40, 20, 20))
    fine, coarse = synthesize(even)[SOMATA][::2], synthesize(flat)[SOMATA]
    assert (fine > 0).mean() > 0.02
    # space is bent by other numbers, of another lattice
    assert ((fine > 0) & (fine == coarse)).sum() / ((fine > 0) | (coarse > 0)).sum() > 0.6


def test_a_config_names_it() -> None:
    spec = Somata(shape=(64, 64, 64), fraction=0.1, seed=2)
    volume = Volume(synthetic=spec, labels=SOMATA, arrays={"nuclei": NUCLEI})
    assert Volume.model_validate_json(volume.model_dump_json()) == volume
    assert volume.derive(synthetic={"seed": 3}).synthetic == spec.derive(seed=3)
    assert Synthetic(kind="somata", shape=(64, 64, 64), fraction=0.1, seed=2) == spec
    assert isinstance(Volume(synthetic={}).synthetic, Synthetic)


def test_refuses() -> None:
    with pytest.raises(ValueError, match="'somata' has no skeletons"):
        skeletons(SPEC)
    for change in ({"shape": (64, 64)}, {"shape": (64, 64, 8)}, {"voxel_size": (4.0, 4.0)}):
        with pytest.raises(ValueError, match="synthetic volume"):
            synthesize(SPEC.derive(**change))
    with pytest.raises(ValueError, match="fraction"):
        Somata(fraction=0.5)
    with pytest.raises(ValueError, match=r"synthetic volume 'neuropl' is unknown.*isotropic"):
        Volume(synthetic={"kind": "neuropl"})


def test_a_part_knows_its_place() -> None:
    part = Part((1, 2, 3), {RAW: np.zeros((4, 5, 6), np.uint8)})
    assert part.place == (slice(1, 5), slice(2, 7), slice(3, 9))
