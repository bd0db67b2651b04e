"""The guide's Python works as it is written; what it adds to VARIANTS is trained in
test_end_to_end."""

import numpy as np
import pytest
from guide import BLOCKS, run, variants

from config.variants import VARIANTS
from lsd.spec import (
    Boundary,
    Dice,
    Discriminative,
    Embeddings,
    Foreground,
    Head,
    Malis,
    Mask,
    Mse,
    ObjectDetection,
    Supervoxel,
)
from lsd.volumes.volume import open_volume

WRITES = next(block for block in BLOCKS if "zarr.open_group" in block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block != WRITES])
def test_runs(block) -> None:
    run(block)


def test_a_zarr_of_ones_own_is_a_volume(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(WRITES)
    dataset = next(
        run(block)["DATASETS"]["mine"] for block in BLOCKS if 'DATASETS["mine"]' in block
    )
    for name, spec in dataset.volumes().items():
        volume = open_volume(spec, name=name, data_root=tmp_path / "data")
        assert (volume.voxel_size, tuple(volume.raw.offset)) == ((8, 8, 8), (0, 0, 0))
        assert volume.read_known(volume.roi).all()


def test_heads_of_ones_own_are_a_boundary_and_mitochondria() -> None:
    first, second, third, *_ = (variant.heads() for variant in variants().values())
    assert first.pop("boundary").target == Boundary()
    assert first == VARIANTS["mtlsd"].heads()
    assert second["boundary"].target == Boundary(width=2)
    assert second["mitochondria"].target == Mask(array="mitochondria")
    assert third["affs"] == Head(target=Embeddings(), loss=Discriminative(dv=0.1))
    assert third["boundary"].loss == Dice(weight=0.5)


def test_heads_of_ones_own_are_of_objects() -> None:
    heads = variants()["organelles"].heads()
    assert heads["around"].target.offsets_in(3)[4] == (0, 0, 0)
    assert heads["around"].loss.channel_weights[4] == 4
    assert {name: head.target.objects() for name, head in heads.items()} == {
        "affs": None
    } | dict.fromkeys(("around", "pairs", "interior", "distance"), "mitochondria")


def test_heads_of_ones_own_learn_what_is_connected() -> None:
    *_, malis, supervoxel = (variant.heads() for variant in variants().values())
    assert malis["affs"].loss == Malis(dense=Mse(balance=True))
    assert supervoxel["affs"].loss == Supervoxel(mode="additive", balance=True)
    individual = Supervoxel(criterion="individual")
    assert supervoxel["foreground"] == Head(target=Foreground(), loss=individual)


def test_made_up_mitochondria_are_labels_or_beside_neurons(tmp_path) -> None:
    """As the guide writes the volumes, but smaller."""
    [block] = [block for block in BLOCKS if "synthetic_mitochondria" in block]
    datasets = run(block)["DATASETS"]
    found = {}
    for name in ("synthetic_both", "synthetic_mitochondria"):
        [written] = datasets[name].train
        small = written.derive(synthetic={"shape": (24, 48, 48)})
        volume = open_volume(small, name=name, data_root=tmp_path)
        found[name] = volume.read_labels(volume.roi)
        if written.arrays:
            beside = volume.read_array("mitochondria", volume.roi)
    np.testing.assert_array_equal(found["synthetic_mitochondria"], beside)
    assert found["synthetic_both"].all(), "neurons fill the volume"
    assert beside.max() > 1


def test_a_config_that_goes_by_scores_of_objects() -> None:
    [block] = [block for block in BLOCKS if "ObjectDetection(" in block]
    config = run(block)["mitochondria"]
    assert config.evaluate.metric == ObjectDetection(objective="pq")
    assert config.evaluate.heads == tuple(config.variant.heads()) == ("foreground",)
    assert config.segment.objects.min_size == 50
