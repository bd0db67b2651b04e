"""lsd.load(...).predict: raw of any dtype and from anywhere gives what the room of prediction
gives."""

import pickle

import numpy as np
import pytest
import tifffile
import torch

import lsd
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Head,
    Network,
    Predict,
    Stage,
    UNet,
    Variant,
)

RAW = np.random.default_rng(1).integers(0, 256, (30, 34, 38), np.uint8)
SIZE = (10, 10, 10)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    return {f"{dims}d": saved(folder / f"{dims}d.pt", dims) for dims in (2, 3)}


def saved(path, dims):
    """A checkpoint of random weights."""
    heads = {"lsds": Head(target=Descriptors()), "affs": Head(target=Affinities())}
    trunk = UNet(features=4, multiplier=2, factors=((2,) * dims,), kernels=((3,) * dims,))
    config = Config(
        name="tiny",
        dataset=Dataset(),
        variant=Variant(stages=Stage(heads=heads)),
        network=Network(trunk=trunk, train_shape=(22,) * dims, predict_shape=(26,) * dims),
        predict={"volumes": "test"},
    )
    torch.manual_seed(0)
    content = {
        "config": config.model_dump_json(),
        "stage": "main",
        "iteration": 2,
        "model": dict(Cascade(config.variant, config.network.trunk).state_dict()),
        "normalisation": {"to": [-1.0, 1.0]},
        "voxel_size": list(SIZE),
    }
    checkpoint.save(path, content)
    return path


def expected(path, raw, **settings):
    restored = from_checkpoint(path)
    asked = Predict(dtype="float32", threads=1, **settings)
    return predict_array(
        Predictor(restored.cascade, restored.config.network, settings=asked), raw, voxel_size=SIZE
    )


def assert_same(found, wanted, *, atol=0.0) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], wanted[name], atol=atol, rtol=0)


@pytest.mark.parametrize("dims", ["3d", "2d"])
def test_uint8_as_it_is(checkpoints, dims) -> None:
    before = RAW.copy()
    network = lsd.load(checkpoints[dims])
    assert (network.dims, network.heads) == (int(dims[0]), ("lsds", "affs"))
    found = network.predict(RAW, voxel_size=SIZE, threads=1)
    assert found["affs"].shape == (network.dims, *RAW.shape)
    assert_same(found, expected(checkpoints[dims], RAW))
    np.testing.assert_array_equal(RAW, before)


@pytest.mark.parametrize(
    ("raw", "raw_range"),
    [
        (RAW.astype(np.uint16) * 100 + 7, (7, 25507)),
        (RAW.astype(np.int32) - 100, (-100, 155)),
        (RAW / np.float32(255), (0, 1)),
        (RAW / 127.5 - 1, (-1, 1)),
        (255 - RAW, (255, 0)),
        ((RAW / 255).astype(np.float16), (0, 1)),
        (np.asfortranarray(RAW), None),
        (RAW.astype(">u2"), (0, 255)),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_any_dtype_with_its_range(checkpoints, raw, raw_range) -> None:
    found = lsd.load(checkpoints["3d"]).predict(
        raw, voxel_size=SIZE, raw_range=raw_range, threads=1
    )
    assert_same(found, expected(checkpoints["3d"], RAW), atol=2e-3)


@pytest.mark.parametrize(
    ("raw", "raw_range", "says"),
    [
        (RAW / 255, (0, 255), r"becomes one value .* lie in 0\.\.1, raw_range is 0\.\.255"),
        (RAW.astype(np.int64), (0, 1), r"becomes one value .*raw_range is 0\.\.1"),
        (RAW, (0, 50), r"\d\d% of raw lie outside its raw_range"),
        ((RAW > 9).astype(np.uint8), None, r"becomes one value .* in 0\.\.1, .* 0\.\.255"),
    ],
)
def test_a_range_that_leaves_nothing_of_raw_is_told(checkpoints, raw, raw_range, says) -> None:
    with pytest.warns(UserWarning, match=says):
        lsd.load(checkpoints["3d"]).predict(raw, voxel_size=SIZE, raw_range=raw_range, threads=1)


def test_a_volume_of_which_its_range_leaves_nothing_is_refused(checkpoints, tmp_path) -> None:
    """As the commands refuse it."""
    tifffile.imwrite(tmp_path / "raw.tif", RAW)
    volume = lsd.open_volume(tmp_path / "raw.tif", voxel_size=SIZE, raw_range=(0, 1))
    with pytest.raises(ValueError, match="becomes one value by its raw_range"):
        lsd.load(checkpoints["3d"]).predict(volume, threads=1)


def test_one_value_everywhere_is_no_fault_of_the_range(checkpoints, recwarn) -> None:
    raw = np.full(RAW.shape, 7, np.uint8)
    lsd.load(checkpoints["3d"]).predict(raw, voxel_size=SIZE, threads=1)
    assert not [each for each in recwarn if "raw_range" in str(each.message)]


def test_a_plane_for_a_2d_network(checkpoints) -> None:
    found = lsd.load(checkpoints["2d"]).predict(RAW[0], voxel_size=(10, 10), threads=1)
    assert found["affs"].shape == (2, 34, 38)


def test_a_volume_brings_its_range_and_its_surroundings(checkpoints, tmp_path) -> None:
    """What is around a region of raw is its context, where an array is mirrored."""
    tifffile.imwrite(tmp_path / "raw.tif", 255 - RAW)
    volume = lsd.open_volume(
        tmp_path / "raw.tif", voxel_size=SIZE, raw_range=(255, 0), region="4:20, 5:25, :"
    )
    network = lsd.load(checkpoints["3d"])
    whole = expected(checkpoints["3d"], RAW)["affs"][:, 4:20, 5:25]
    found = network.predict(volume, heads="affs", threads=1)
    assert list(found) == ["affs"]
    np.testing.assert_allclose(found["affs"], whole, atol=1e-5)
    np.testing.assert_array_equal(
        network.predict(volume, voxel_size=SIZE, heads="affs", threads=1)["affs"], found["affs"]
    )
    with pytest.raises(ValueError, match=r"the volume's is \(10.0, 10.0, 10.0\)"):
        network.predict(volume, voxel_size=(4, 4, 4))
    with pytest.raises(ValueError, match="raw_range of its own"):
        network.predict(volume, raw_range=(0, 1))


def test_settings_are_those_of_a_prediction(checkpoints) -> None:
    found = lsd.load(checkpoints["3d"]).predict(
        RAW, voxel_size=SIZE, augment="flips", threads=1, shape=(22, 22, 22)
    )
    wanted = expected(checkpoints["3d"], RAW, augment="flips", shape=(22, 22, 22))
    assert_same(found, wanted)


@pytest.mark.parametrize(
    ("raw", "given", "says"),
    [
        (RAW, {"voxel_size": None}, "give voxel_size in nm"),
        (RAW, {"voxel_size": (10, 10)}, r"one positive number .* 3 for this raw.*got \(10, 10\)"),
        (RAW, {"voxel_size": (10, 10, 0)}, r"one positive number .*got \(10, 10, 0\)"),
        (RAW.astype(np.uint16), {}, r"raw is uint16; .*raw_range=\(0, 65535\)"),
        (RAW / 255, {}, r"raw is float64; .*raw_range=\(0, 1\)"),
        (RAW > 3, {}, "raw is bool; allowed: integers and floats"),
        (RAW.astype(complex), {}, "raw is complex128"),
        (np.full((9, 9, 9), np.nan), {"raw_range": (0, 1)}, r"raw is nan at voxel \(0, 0, 0\)"),
        (RAW, {"raw_range": (3, 3)}, "is a single value"),
        (RAW[0], {"voxel_size": (10, 10)}, "3D networks take 3D volumes"),
        (RAW[None], {}, r"raw has shape \(1, 30, 34, 38\)"),
        (RAW[:0], {}, "at least a voxel"),
        (RAW, {"heads": "nothing"}, "no head 'nothing' to predict; the checkpoint has: lsds, affs"),
        (RAW, {"heads": 3}, "heads is a name or a list of names, got 3"),
        (RAW, {"voxelsize": SIZE}, "no argument 'voxelsize'; did you mean 'voxel_size'"),
        (RAW, {"augmnt": "flips"}, "no argument 'augmnt'; did you mean 'augment'"),
        (RAW, {"voxel_size": "10"}, "one positive number an axis.*got '10'"),
        (RAW, {"raw_range": 255}, "raw_range is two numbers.*got 255"),
        (RAW, {"raw_range": ("0", "255")}, "raw_range is two numbers"),
        (RAW, {"progress": True}, "progress is a function, .*got True"),
        (RAW.astype(np.int64), {}, r"int64, with values in 0\.\.255; .*raw_range=\(0, 255\)"),
        ("raw.tif", {}, r"raw is a path, 'raw\.tif'; open it first"),
        (RAW, {"volumes": "test"}, "predict has no argument 'volumes'"),
        (RAW, {"augment": "all"}, "augment: input should be 'none', 'flips' or 'transposes'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(checkpoints, raw, given, says) -> None:
    with pytest.raises(ValueError, match=says) as error:
        lsd.load(checkpoints["3d"]).predict(raw, **({"voxel_size": SIZE} | given))
    assert "\n" not in str(error.value)


def test_voxels_of_another_size_are_told(checkpoints) -> None:
    with pytest.warns(UserWarning, match="40x4x4 nm, the network was trained on 10x10x10"):
        lsd.load(checkpoints["3d"]).predict(RAW[:24, :24, :24], voxel_size=(40, 4, 4))


def test_a_file_that_is_no_checkpoint(tmp_path, checkpoints) -> None:
    with pytest.raises(ValueError, match=r"nothing\.pt' is not there; no checkpoint \(\.pt\) lies"):
        lsd.load(tmp_path / "nothing.pt")
    cut = tmp_path / "cut.pt"
    cut.write_bytes(checkpoints["3d"].read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated or no checkpoint"):
        lsd.load(cut)
    with pytest.raises(ValueError, match="there is no module 'not_there'"):
        lsd.load(checkpoints["3d"], imports="not_there")


def test_a_checkpoint_that_is_not_there_is_looked_for_nearby(tmp_path, monkeypatch) -> None:
    for name in ("runs/mine/main/checkpoints/best.pt", "runs/mine/main/checkpoints/9.pt", "a.pt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for wrong, nearby in {
        "nope.pt": "nearby: a.pt, runs/mine/main/checkpoints/best.pt",
        "runs/mine/main/checkpoints/bets.pt": "nearby: runs/mine/main/checkpoints/best.pt, ",
        "runs/mine": "is a folder; checkpoints nearby: runs/mine/main/checkpoints/best.pt",
        "runs/other/main/checkpoints/best.pt": "nearby: runs/mine/main/checkpoints/best.pt",
    }.items():
        with pytest.raises(ValueError, match=nearby):
            lsd.load(wrong)
    with pytest.raises(ValueError, match=r"checkpoint is the path of a \.pt file, got None"):
        lsd.load(None)
    with pytest.raises(ValueError, match="no argument 'import'; did you mean 'imports'"):
        lsd.load("a.pt", **{"import": "x"})


def test_one_number_is_the_voxel_size_of_all_axes(checkpoints) -> None:
    network = lsd.load(checkpoints["3d"])
    one = network.predict(RAW, voxel_size=10, heads="affs", threads=1)
    np.testing.assert_array_equal(
        one["affs"], network.predict(RAW, voxel_size=SIZE, heads=["affs"], threads=1)["affs"]
    )


@pytest.mark.parametrize("dims", ["3d", "2d"])
def test_heads_are_segmented_as_they_are(checkpoints, dims) -> None:
    """They know their offsets, also when they were pickled."""
    network = lsd.load(checkpoints[dims])
    heads = pickle.loads(pickle.dumps(network.predict(RAW, voxel_size=10, threads=1)))
    assert heads.neighborhoods == {"affs": network.neighborhood()}
    assert heads.ranges == {"lsds": (0, 1), "affs": (0, 1)}
    np.testing.assert_array_equal(
        lsd.segment(heads, threshold=0.4),
        lsd.segment(heads["affs"], neighborhood=network.neighborhood(), threshold=0.4),
    )
    with pytest.raises(ValueError, match="reads the head 'other'; those given are: lsds, affs"):
        lsd.segment(heads, affinities="other")


def test_offsets_of_affinities(checkpoints) -> None:
    network = lsd.load(checkpoints["2d"])
    assert network.neighborhood() == ((-1, 0), (0, -1))
    with pytest.raises(ValueError, match="'lsds' is no head of affinities"):
        network.neighborhood("lsds")
