"""After any change of data or settings, the same commands give what they would give in an empty
folder, or refuse in words."""

import shutil
import time

import numpy as np
import pytest
import torch
import zarr
from funlib.geometry import Roi

from lsd.blockwise.running.run import BlocksFailed
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    Predict,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
    paths,
)
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

SHAPE = (18, 18, 18)
ROI = Roi((0, 0, 0), SHAPE)
THRESHOLDS = (0.3, 0.6)
VARIANT = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))
TRUNK = UNet(features=3, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))


@pytest.fixture
def config(tmp_path) -> Config:
    rng = np.random.default_rng(3)
    labels = (1 + np.indices(SHAPE)[0] // 6 * 3 + np.indices(SHAPE)[1] // 6).astype(np.uint64)
    for name, data in {
        "raw": rng.integers(0, 256, SHAPE).astype(np.uint8),
        "labels": labels,
        "mask": np.ones(SHAPE, np.uint8),
    }.items():
        create_array(
            tmp_path / "em.zarr",
            name,
            roi=ROI,
            voxel_size=(8, 8, 8),
            dtype=data.dtype,
            chunks=(9, 9, 9),
        ).write(data, ROI)
    volume = Volume(path="em.zarr", name="em", raw="raw", labels="labels", labels_mask="mask")
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,)),
        variant=VARIANT,
        network=Network(trunk=TRUNK, train_shape=(18, 18, 18), predict_shape=(18, 18, 18)),
        predict=Predict(volumes=("validate",), checkpoint="latest", device="cpu", threads=1),
        segment=Segment(
            thresholds=THRESHOLDS,
            fragments=Fragments(min_seed_distance=3),
            use_mask=True,
            block=(9, 18, 18),
        ),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    torch.manual_seed(1)
    content = {
        "config": config.model_dump_json(),
        "stage": "main",
        "iteration": 7,
        "model": dict(Cascade(config.variant, config.network.trunk).state_dict()),
        "normalisation": {"to": [-1.0, 1.0]},
    }
    checkpoint.save(paths.checkpoints(config, "main") / files.file_name(7), content)
    return config


def run(config):
    """All that a run leaves, of the three commands."""
    predict(config)
    segment(config)
    scores = evaluate(config).volumes["em"].sweep
    segmentation = paths.segmentation(config, "em")
    arrays = [
        open_array(segmentation, name) for name in ("fragments", *map(array_name, THRESHOLDS))
    ]
    affs = open_array(paths.prediction(config, "em"), "affs")
    return [affs.read(affs.roi), *(array.read(ROI) for array in arrays)], scores


def anew(config):
    """The same in an empty folder; affinities that were edited are taken as they are."""
    other = config.derive(name="anew")
    shutil.copytree(paths.checkpoints(config, "main"), paths.checkpoints(other, "main"))
    return run(other)


def check_same(found, expected) -> None:
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1] == expected[1]


def edit(path, name, where, value) -> None:
    """As proofreading tools do it: a few voxels of an array, in place."""
    time.sleep(0.02)  # times of files come in steps of a clock tick
    folder = path / name
    array = zarr.open_array(
        str(folder if (folder / ".zarray").exists() else folder / "0"), mode="r+"
    )
    assert not (array[where] == value).all(), "an edit"
    array[where] = value


CORNER = (slice(0, 9), slice(0, 9), slice(0, 9))
EDITS = {"raw": ("raw", 255), "labels": ("labels", 99), "mask": ("mask", 0)}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_in_place_is_as_if_it_had_always_been_so(config, tmp_path, what) -> None:
    before = run(config)
    check_same(run(config), before)
    name, value = EDITS[what]
    edit(tmp_path / "em.zarr", name, CORNER, value)
    after = run(config)
    assert (
        any((one != other).any() for one, other in zip(before[0], after[0], strict=True))
        or before[1] != after[1]
    )
    check_same(after, anew(config))


def test_edited_affinities_are_segmented_anew_and_kept(config, caplog) -> None:
    before = run(config)
    edit(paths.prediction(config, "em"), "affs", (slice(None), *CORNER), 255)
    with pytest.raises(
        ValueError, match=r"affs of the prediction was changed since; run `lsd segment` again"
    ):
        evaluate(config)
    segment(config)
    assert evaluate(config).volumes["em"].sweep != before[1]
    assert "was changed since" not in caplog.text
    predict(config)
    assert "affs was changed since heads wrote it, and stays so; delete" in caplog.text
    affs = open_array(paths.prediction(config, "em"), "affs").read(Roi((0, 0, 0), (9, 9, 9)))
    assert (affs == 255).all(), "nobody's work is undone in silence"


def test_edited_fragments_are_joined_anew(config) -> None:
    run(config)
    fragments = open_array(paths.segmentation(config, "em"), "fragments").read(ROI)
    one, other = np.unique(fragments[:9][fragments[:9] > 0])[:2]
    moved = np.argwhere(fragments == other)[0]
    edit(paths.segmentation(config, "em"), "fragments", tuple(moved), one)
    with pytest.raises(ValueError, match=r"fragments was changed since; run `lsd segment` again"):
        evaluate(config)


OTHERWISE = {
    "axes": {"axes": "xyz"},
    "raw_range": {"raw_range": (0.0, 128.0)},
    "sharpen": {"sharpen": {"amount": 1.0}},
    "array": {"raw": "labels", "raw_range": (0.0, 10.0)},
}


@pytest.mark.parametrize("field", OTHERWISE)
def test_half_a_prediction_does_not_go_on_with_another_volume(
    config, tmp_path, monkeypatch, field
) -> None:
    # a file that does not name its axes, as most do not
    for attributes in (tmp_path / "em.zarr").rglob(".zattrs"):
        attributes.write_text('{"resolution": [8, 8, 8], "offset": [0, 0, 0]}')
    half, count = config, iter("12345")
    block = Predictor.block

    def fail(*arguments, **options):
        if next(count) > "2":
            raise MemoryError("full")
        return block(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "block", fail)
        with pytest.raises(BlocksFailed):
            predict(half)
    volume = Volume.model_validate({**half.dataset.validate[0].model_dump(), **OTHERWISE[field]})
    other = half.derive(dataset=Dataset(validate=(volume,)))
    with pytest.raises(ValueError, match=r"cannot go on with: "):
        predict(other)
    predict(half)
    found = open_array(paths.prediction(half, "em"), "affs").read(ROI)
    predict(other)
    assert (open_array(paths.prediction(half, "em"), "affs").read(ROI) != found).any()


def test_data_that_change_while_blocks_are_computed_are_told(config, tmp_path, monkeypatch) -> None:
    block = Predictor.block

    def edited(*arguments, **options):
        raw = zarr.open_array(str(tmp_path / "em.zarr" / "raw" / "0"), mode="r+")
        raw[0, 0, 0] += 1
        time.sleep(0.02)
        return block(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "block", edited)
        with pytest.raises(
            ValueError, match=r"em\.zarr:raw was changed while the blocks of heads were computed"
        ):
            predict(config)
    assert not paths.prediction(config, "em").exists()
    check_same(run(config), anew(config))


def test_nobodys_work_is_replaced(config) -> None:
    """What somebody corrected in an output is kept where other settings would make it anew, until
    it is moved away."""
    run(config)
    path = paths.segmentation(config, "em")
    edit(path, "segmentation/0.6", CORNER, 99)
    other = config.derive(segment={"scoring": "hist_quant_75"})
    with pytest.raises(
        ValueError,
        match=r"segmentation/0\.6 was changed since this program wrote it, .* elsewhere .*cp -a",
    ):
        segment(other)
    fragments = config.derive(segment={"fragments": {"min_seed_distance": 5}})
    with pytest.raises(ValueError, match=r"segmentation/0\.6 was changed since"):
        segment(fragments)
    kept = open_array(path, "segmentation/0.6").read(ROI)
    assert (kept[CORNER] == 99).all()
    shutil.move(path / "segmentation" / "0.6", path.parent / "corrected")
    segment(other)
    edit(paths.prediction(config, "em"), "affs", (slice(None), *CORNER), 255)
    with pytest.raises(ValueError, match=r"prediction/em\.zarr/affs was changed since"):
        predict(config.derive(predict={"augment": "flips"}))
