"""Figures of a small run, from disk to PNG."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.evaluation.run import evaluate
from lsd.report.run import draw_figures
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, run_folder
from lsd.volumes.create import create_array

ROI = Roi((2, 0, 4), (8, 20, 24))
VOXEL_SIZE = (30.0, 6.0, 6.0)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr("lsd.report.figures._PIXELS", 50)  # fast
    labels = np.ones(ROI.shape, np.uint64)
    labels[:, 10:] += 1
    labels[:, :, 12:] += 2
    labels[:, 9:11] = labels[:, :, 11:13] = 0
    raw = (200 * (labels > 0) + 20).astype(np.uint8)
    for what, data in (("raw", raw), ("labels", labels)):
        create_array(
            tmp_path / "v.zarr", what, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype
        ).write(data, ROI)
    volume = Volume(path="v.zarr", raw="raw", labels="labels")
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,), test=(volume,)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(fragments=Fragments(in_xy=True)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    affs = np.stack([raw] * 3)
    for name in ("v_validate", "v_test"):
        array = create_array(
            prediction(config, name),
            "affs",
            roi=ROI,
            voxel_size=VOXEL_SIZE,
            dtype=np.uint8,
            channels=3,
        )
        array.write(affs, ROI)
    return config


@pytest.mark.parametrize("connected", [False, True])
def test_files(config, connected) -> None:
    config = config.derive(evaluate=config.evaluate.derive(connected=connected))
    segment(config)
    evaluation = evaluate(config)
    assert evaluation.part("test").voi_sum == 0
    names = ("evaluation_sweep.png", "evaluation_v_validate.png", "evaluation_v_test.png")
    assert draw_figures(config, evaluation) == [run_folder(config) / name for name in names]
    assert all((run_folder(config) / name).stat().st_size > 5000 for name in names)


def test_mutex_has_no_sweep(config) -> None:
    pytest.importorskip("mwatershed")
    far = Head(target=Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))))
    config = config.derive(
        segment={"decoder": "mutex"}, variant={"stages": Stage(heads={"affs": far})}
    )
    segment(config)
    assert [path.name for path in draw_figures(config, evaluate(config))] == [
        "evaluation_v_validate.png",
        "evaluation_v_test.png",
    ]


def test_nothing_scored_is_nothing_drawn_but_the_sweep(config) -> None:
    alone = config.derive(predict=config.predict.derive(volumes=("test",)))
    segment(alone)
    assert [path.name for path in draw_figures(alone, evaluate(alone))] == ["evaluation_sweep.png"]
