"""From a checkpoint and a volume on disk to heads on disk."""

import json
import os

import ngff_zarr
import numpy as np
import pytest
import tensorstore
from funlib.geometry import Roi
from predicted_run import (
    FLAT,
    OFFSET,
    SHAPE,
    VARIANT,
    VOXEL_SIZE,
    expected,
    no_inference,
    read,
    save,
)

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.running.run import BlocksFailed
from lsd.network import precision
from lsd.network.checkpoints import checkpoint, files
from lsd.prediction import run, settled
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import configured_workers, predict
from lsd.spec import (
    Affinities,
    Head,
    Predict,
    Stage,
    Variant,
    Workers,
    paths,
)
from lsd.targets.target import channels
from lsd.volumes import containers
from lsd.volumes.levels import coarser, factors


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_heads_on_disk_are_those_of_the_array(make, dtype):
    config, raw = make(dtype=np.uint8, heads=("affs", "lsds"))
    config = config.derive(predict=config.predict.derive(dtype=dtype))
    [path] = predict(config)
    assert path == paths.prediction(config, "em")
    for head, truth in expected(config, raw).items():
        values, array = read(path, head)
        assert array.roi == Roi(OFFSET, SHAPE)
        assert array.voxel_size == VOXEL_SIZE
        if dtype == "uint8":
            assert np.abs(values - truth * 255).max() <= 0.5 + 1e-3
        else:
            np.testing.assert_allclose(values, truth, rtol=0, atol=1e-6)


def test_heads_lie_over_raw_that_is_between_voxels(make, caplog):
    """Raw at no whole voxels: the same heads, at the place of raw in nm."""
    place = [54.0, -13.0, 21.5]
    config, raw = make(volume={"offset": place}, trunk=FLAT, augment="flips")
    values, array = read(predict(config)[0], "affs")
    assert "its offset is (52.4, -12.0, 20.0) nm by its file" in caplog.text
    assert (
        json.loads((array.source.path / array.source.name / ".zattrs").read_text())["offset"]
        == place
    )
    assert array.roi == Roi(OFFSET, SHAPE)
    assert np.abs(values - expected(config, raw)["affs"] * 255).max() <= 0.5 + 1e-3


def test_a_region_is_predicted_alone(make):
    config, raw = make(region=((12, 20), (0, 9)), dtype=np.uint8)
    [path] = predict(config)
    values, array = read(path, "affs")
    assert array.roi == Roi((12, 0, 5), (8, 9, 21))
    assert np.abs(values - expected(config, raw, array.roi)["affs"] * 255).max() <= 0.5 + 1e-3


def test_the_region_of_the_volume_is_the_default(make):
    config, _ = make(volume={"region": ((None, 15),)})
    assert read(predict(config)[0], "affs")[1].roi == Roi(OFFSET, (5, 23, 21))


def test_sections_of_a_2d_network(make):
    config, raw = make(trunk=FLAT, augment="flips")
    values, _ = read(predict(config)[0], "affs")
    assert values.shape == (3, *SHAPE)
    assert np.abs(values - expected(config, raw)["affs"] * 255).max() <= 0.5 + 1e-3


def test_attributes_say_where_it_is_from(make):
    config, _ = make(trunk=FLAT, precision="bf16")
    [path] = predict(config)
    attributes = json.loads((path / "affs" / "0" / ".zattrs").read_text())
    file = paths.checkpoints(config, "affs") / files.file_name(7)
    assert attributes["neighborhood"] == [[0, -1, 0], [0, 0, -1], [0, -3, 2]]
    record = attributes["prediction"]
    assert record["checkpoint_sha256"] == checkpoint.verify(file)
    assert Variant.model_validate(record["variant"]) == VARIANT
    assert (record["iteration"], record["border"], record["precision"]) == (7, "reflect", "bf16")
    assert record["roi"] == {"offset": list(OFFSET), "shape": list(SHAPE)}


def test_network_and_variant_are_those_of_the_checkpoint(make):
    config, raw = make()
    other = Variant(stages=(Stage(name="affs", heads={"other": Head(target=Affinities())}),))
    flat = {"trunk": FLAT, "train_shape": (18, 18), "predict_shape": None}
    [path] = predict(config.derive(variant=other, network=flat))
    values, _ = read(path, "affs")
    assert np.abs(values - expected(config, raw)["affs"] * 255).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("trained_on", "said"), [(None, False), (VOXEL_SIZE, False), ((30.0, 8.0, 8.0), True)]
)
def test_voxels_of_another_size_are_told(make, caplog, trained_on, said):
    config, _ = make()
    save(config, config.variant.stages[-1].name, voxel_size=trained_on)
    predict(config)
    assert said == any(
        "the network was trained on 30x8x8" in message for message in caplog.messages
    )
    assert not any("resample" in message for message in caplog.messages)


def test_a_2d_network_does_not_mind_how_far_sections_are_apart(make, caplog):
    config, _ = make(trunk=FLAT)
    save(config, config.variant.stages[-1].name, voxel_size=(30.0, *VOXEL_SIZE[1:]))
    predict(config)
    assert not any("trained on" in message for message in caplog.messages)


def test_nothing_half_written_is_left_or_taken(make, monkeypatch):
    """Blocks that fail leave the earlier prediction as it was; what is done of the new one waits,
    for the same run only."""
    config, _ = make()
    [path] = predict(config)
    before, _ = read(path, "affs")
    save(config, "affs", seed=2)
    with monkeypatch.context() as patch:
        count = iter(range(100))
        block = Predictor.block

        def fail(*arguments, **options):
            if next(count) >= 2:
                raise MemoryError("full")
            return block(*arguments, **options)

        patch.setattr(Predictor, "block", fail)
        with pytest.raises(BlocksFailed, match="out of memory: full"):
            predict(config)
    np.testing.assert_array_equal(read(path, "affs")[0], before)
    save(config, "affs", seed=3)
    with pytest.raises(
        ValueError, match=r"cannot go on with: the checkpoint is another one; run it as before"
    ):
        predict(config)
    np.testing.assert_array_equal(read(path, "affs")[0], before)
    save(config, "affs", seed=2)
    predict(config)
    assert (read(path, "affs")[0] != before).any()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_killed_prediction_is_swept(make, monkeypatch):
    config, _ = make()
    with monkeypatch.context() as patch:
        patch.setattr(run, "run", lambda *_, **__: pytest.exit("killed"))
        with pytest.raises(pytest.exit.Exception):
            predict(config)
    partial = paths.prediction(config, "em").with_name("em.zarr.partial")
    assert (partial / "affs").is_dir()
    half = partial / "affs" / "0" / "0" / f"0.{'ab' * 16}.partial"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half of a chunk")
    (partial / "blocks" / ".torn").touch()
    [path] = predict(config)
    assert not partial.exists()
    assert not list(path.rglob("*.partial"))


def test_a_bar_on_demand(make, capsys):
    config, _ = make()
    predict(config, progress=True)
    assert "em: 100%" in capsys.readouterr().err
    predict(config, progress=False)
    assert capsys.readouterr().err == ""


def test_every_chunk_is_written_and_belongs_to_one_block(make):
    config, _ = make()
    [path] = predict(config)
    array = read(path, "affs")[1]
    attributes = json.loads((path / "affs" / "0" / ".zattrs").read_text())["prediction"]
    chunks = json.loads((path / "affs" / "0" / ".zarray").read_text())["chunks"]
    # one that was not written could not be read
    array.read(array.roi)
    assert not any(w % c for w, c in zip(attributes["block"]["write"], chunks[1:], strict=True))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_others_open_every_head_with_its_levels(make, dtype):
    config, _ = make(levels=2, heads=("affs", "lsds"))
    config = config.derive(predict=config.predict.derive(dtype=dtype))
    [path] = predict(config)
    for head, target in config.variant.heads().items():
        values, array = read(path, head)
        image = ngff_zarr.from_ngff_zarr(str(path / head), validate=True)
        assert [axis.type for axis in image.metadata.axes] == ["channel", "space", "space", "space"]
        assert [(found.data.shape[0], found.data.dtype) for found in image.images] == [
            (channels(target.target, 3), dtype)
        ] * 2
        for level, data in enumerate((values, coarser(values, *_factor(array)))):
            np.testing.assert_array_equal(image.images[level].data.compute(), data, strict=True)
            spec = {
                "driver": "zarr",
                "kvstore": {"driver": "file", "path": str(path / head / str(level))},
            }
            np.testing.assert_array_equal(
                tensorstore.open(spec).result().read().result(), data, strict=True
            )
        assert [image.images[0].scale[dim] for dim in "zyx"] == list(VOXEL_SIZE)
        assert [image.images[0].translation[dim] for dim in "zyx"] == [52.4, -12.0, 20.0]
    assert verify_blocks(paths.run_folder(config)) == []


def _factor(array):
    return factors(array.voxel_size, array.roi.shape, 2)[0], "mean"


def test_levels_do_not_make_a_prediction_another(make, monkeypatch):
    config, _ = make()
    [path] = predict(config)
    before = read(path, "affs")[0]
    no_inference(monkeypatch)
    for levels in (3, 1, 2):
        predict(config.derive(predict=config.predict.derive(levels=levels)))
        assert len(ngff_zarr.from_ngff_zarr(str(path / "affs")).images) == 3
    np.testing.assert_array_equal(read(path, "affs")[0], before)


def test_heads_that_go_with_an_earlier_prediction_are_named(make, caplog):
    caplog.set_level("INFO")
    config, _ = make(heads=("affs", "lsds"))
    [path] = predict(config)
    predict(config.derive(predict=config.predict.derive(heads=("affs",))))
    assert containers.array_names(path) == ["affs"]
    assert "em.zarr: removed with the earlier result: lsds" in caplog.text


def test_workers_that_this_process_does_not_use_are_told(make, caplog):
    config, _ = make()
    predict(config)
    assert not any("predict.workers" in message for message in caplog.messages)
    predict(config.derive(predict={"workers": {"count": 3}}))
    assert any(
        "predict.workers has no effect here" in message and "--workers" in message
        for message in caplog.messages
    )


def test_as_many_workers_as_cores_that_are_there(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6))
    assert configured_workers(Predict(device="cpu")).count == 6
    assert configured_workers(Predict(device="cpu", threads=2)).count == 3
    assert configured_workers(Predict(device="cpu", threads=9)).count == 1
    assert configured_workers(Predict(device="cpu", workers=Workers(count=2))).count == 2


@pytest.mark.parametrize("built_in", [False, True])
def test_a_precision_of_the_machine_is_named(make, monkeypatch, built_in):
    """So that one machine does not go on with the blocks of another."""
    monkeypatch.setattr(precision, "_has_bf16", lambda device: built_in)
    precision.choose.cache_clear()
    config, _ = make()
    config = config.derive(predict={"precision": "auto", "device": "cpu"})
    here = "bf16" if built_in else "fp32"
    assert settled.settled(config.predict, None).precision == here
    assert settled.settled(config.predict, Workers(count=2)).precision == here
    elsewhere = settled.settled(config.predict, Workers(count=2, launch="slurm"))
    assert elsewhere.precision == "auto"
    (doubt,) = settled.doubts(elsewhere, Workers(count=2, launch="slurm"))
    assert "set predict.precision=fp32" in doubt
    if not built_in:
        (path,) = predict(config)
        attributes = json.loads((path / "affs" / "0" / ".zattrs").read_text())
        assert attributes["prediction"]["precision"] == "fp32"
    precision.choose.cache_clear()


def test_threads_that_are_more_than_the_cores_are_told(make, caplog, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(1))
    config, _ = make()
    config = config.derive(predict={"threads": 2})
    predict(config)
    assert "predict.threads=2, and there is 1 core to compute on" in caplog.text
    asked = [*settled.doubts(config.predict, Workers(count=2, launch="slurm"))]
    assert not asked


def test_workers_elsewhere_have_the_device_that_is_not_here(make, monkeypatch):
    """A cluster is sent work from a machine without a GPU."""
    config, _ = make()
    config = config.derive(predict={"device": "cuda"})
    with pytest.raises(ValueError, match="device 'cuda' is not available"):
        predict(config)
    begun = []

    def done(step, *, workers, **_):
        begun.append(step.job.settings.device)
        raise BlocksFailed("as far as this goes")

    monkeypatch.setattr(run, "run", done)
    with pytest.raises(BlocksFailed):
        predict(config, workers=Workers(count=2, launch="slurm"))
    assert begun == ["cuda"]
