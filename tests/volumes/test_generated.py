"""The synthetic volume: made once, whoever asks for it."""

import multiprocessing

import numpy as np
import pytest
from small_volume import RNG, SHAPE

from lsd.spec import Synthetic, Volume
from lsd.volumes import generated
from lsd.volumes.generated import generate
from lsd.volumes.volume import open_volume


def fake(spec):
    data = RNG.integers(1, 9, spec.shape)
    return {
        "volumes/raw": data.astype(np.uint8),
        "volumes/labels/neuron_ids": data.astype(np.uint64),
    }


def test_synthetic_volume_is_made_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.synthetic.synthesize", fake)
    spec = Volume(
        synthetic=Synthetic(shape=SHAPE, voxel_size=(5.5, 4, 4), seed=3),
        labels="volumes/labels/neuron_ids",
    )
    first, second = (open_volume(spec, name="s", data_root=tmp_path / "new") for _ in range(2))
    assert first.voxel_size == (5.5, 4, 4)
    np.testing.assert_array_equal(first.read_raw(first.roi), second.read_raw(second.roi))
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == [first.raw.source.path.name]
    paths = {
        generated.path(Synthetic(**change), tmp_path)
        for change in ({}, {"seed": 1}, {"kind": "anisotropic"}, {"shape": SHAPE})
    }
    assert len(paths) == 4


def make(folder) -> str:
    generated_path = generate(Synthetic(shape=SHAPE), folder)
    return generated_path.name


def test_synthetic_volume_by_several_processes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.synthetic.synthesize", fake)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        names = set(pool.map(make, [tmp_path] * 4, chunksize=1))
    assert len(names) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == list(names)


def test_data_root_must_be_writable(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.synthetic.synthesize", fake)
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"data root .*file, where it cannot be written.*set data_root"
    ):
        generate(Synthetic(shape=SHAPE), tmp_path / "file")


def test_failed_synthesis_leaves_nothing(tmp_path, monkeypatch) -> None:
    def broken(_):
        raise ValueError("no")

    monkeypatch.setattr("lsd.synthetic.synthesize", broken)
    with pytest.raises(ValueError, match="no"):
        generate(Synthetic(shape=SHAPE), tmp_path)
    assert not list(tmp_path.iterdir())


MITO = "volumes/labels/mitochondria"


def of_before(spec):
    """As earlier versions made it: mitochondria are a mask."""
    arrays = fake(spec)
    return {**arrays, MITO: (arrays["volumes/raw"] > 4).astype(np.uint8)}


def test_a_mask_of_before_is_refused_as_labels_alone(tmp_path, monkeypatch, caplog) -> None:
    """As a mask it is what it was; as labels it would be one object."""
    monkeypatch.setattr("lsd.synthetic.synthesize", of_before)
    synthetic = Synthetic(shape=SHAPE)
    as_mask = Volume(
        synthetic=synthetic, labels="volumes/labels/neuron_ids", arrays={"mitochondria": MITO}
    )
    for _ in range(2):
        opened = open_volume(as_mask, name="s", data_root=tmp_path)
    assert set(np.unique(opened.read_array("mitochondria", opened.roi))) == {0, 1}
    assert caplog.text.count("does not say which voxels are one mitochondrion") == 1
    as_labels = Volume(synthetic=synthetic, labels=MITO)
    with pytest.raises(ValueError, match=r"earlier version.*a mask.*delete .*synthetic_iso.*again"):
        open_volume(as_labels, name="s", data_root=tmp_path)


def test_mitochondria_are_labels_or_a_further_array(tmp_path) -> None:
    synthetic = Synthetic(shape=(24, 48, 48), seed=5)
    as_labels = Volume(synthetic=synthetic, labels=MITO)
    opened = open_volume(as_labels, name="s", data_root=tmp_path)
    labels = opened.read_labels(opened.roi)
    assert labels.max() > 1
    assert opened.labels.dtype == np.uint64
    both = Volume(
        synthetic=synthetic, labels="volumes/labels/neuron_ids", arrays={"mitochondria": MITO}
    )
    opened = open_volume(both, name="s", data_root=tmp_path)
    np.testing.assert_array_equal(opened.read_array("mitochondria", opened.roi), labels)
