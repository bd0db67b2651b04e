"""The synthetic volume: made once, whoever asks for it."""

import multiprocessing

import numpy as np
import pytest
from small_volume import RNG, SHAPE

from lsd.spec import Somata, Synthetic, Volume
from lsd.synthetic import Part, synthesize
from lsd.volumes import generated
from lsd.volumes.generated import generate
from lsd.volumes.volume import open_volume


def fake(spec):
    data = RNG.integers(1, 9, spec.shape)
    arrays = {
        "volumes/raw": data.astype(np.uint8),
        "volumes/labels/neuron_ids": data.astype(np.uint64),
    }
    return iter([Part((0, 0, 0), arrays)])


def test_synthetic_volume_is_made_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.synthetic.parts", fake)
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
    monkeypatch.setattr("lsd.synthetic.parts", fake)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        names = set(pool.map(make, [tmp_path] * 4, chunksize=1))
    assert len(names) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == list(names)


def test_data_root_must_be_writable(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("lsd.synthetic.parts", fake)
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"data root .*file, where it cannot be written.*set data_root"
    ):
        generate(Synthetic(shape=SHAPE), tmp_path / "file")


def test_failed_synthesis_leaves_nothing(tmp_path, monkeypatch) -> None:
    def broken(_):
        raise ValueError("no")

    monkeypatch.setattr("lsd.synthetic.parts", broken)
    with pytest.raises(ValueError, match="no"):
        generate(Synthetic(shape=SHAPE), tmp_path)
    assert not list(tmp_path.iterdir())


MITO = "volumes/labels/mitochondria"


def of_before(spec):
    """As earlier versions made it: mitochondria are a mask."""
    [part] = fake(spec)
    mask = (part.arrays["volumes/raw"] > 4).astype(np.uint8)
    return iter([Part(part.begin, {**part.arrays, MITO: mask})])


def test_a_mask_of_before_is_refused_as_labels_alone(tmp_path, monkeypatch, caplog) -> None:
    """As a mask it is what it was; as labels it would be one object."""
    monkeypatch.setattr("lsd.synthetic.parts", of_before)
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


def test_what_is_made_in_parts_is_whole_on_disk(tmp_path) -> None:
    spec = Somata(shape=(20, 70, 66), seed=1, fraction=0.12)
    volume = Volume(
        synthetic=spec,
        labels="volumes/labels/somata",
        arrays={"nuclei": "volumes/labels/nuclei"},
    )
    opened = open_volume(volume, name="s", data_root=tmp_path)
    assert opened.voxel_size == (40, 40, 40)
    made = synthesize(spec)
    assert made["volumes/labels/somata"].max() > 0
    np.testing.assert_array_equal(opened.read_labels(opened.roi), made["volumes/labels/somata"])
    nuclei = opened.read_array("nuclei", opened.roi)
    np.testing.assert_array_equal(nuclei, made["volumes/labels/nuclei"])
    raw = opened.raw.read(opened.roi)
    np.testing.assert_array_equal(raw, made["volumes/raw"])
    [name] = [entry.name for entry in tmp_path.iterdir()]
    assert name.startswith("synthetic_somata_20x70x66_40x40x40nm_seed1_")
