"""Figures of a small run, from disk to PNG."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.evaluation.run import evaluate
from lsd.evaluation.scored_results import scored_results
from lsd.report.run import _partners, _section, draw_all, draw_figures
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
from lsd.spec.paths import data_root, prediction, run_folder
from lsd.training.tensorboard import TensorBoard
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

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
    for path in (run_folder(config) / name for name in names):
        assert path.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-"
        assert "<svg" in path.with_suffix(".svg").read_text()


@pytest.mark.slow
def test_all_that_is_to_be_seen(config) -> None:
    with TensorBoard(run_folder(config) / "main", iterations_done=0) as board:
        for step in range(1, 60):
            board.curves({"loss/total": 2 / step, "loss/affs": 2 / step}, iteration=step)
    segment(config)
    found = draw_all(config, evaluate(config))
    assert found.report == run_folder(config) / "report.html"
    assert "<h1>Run run</h1>" in found.report.read_text(encoding="utf-8")
    assert [path.name for path in found.files[3:]] == ["training.png", "evaluation_neurons.csv"]
    assert all(path.stat().st_size > 100 for path in found.files)


def test_curves_of_training_are_read_once(config, monkeypatch) -> None:
    """Those of a long training take many seconds."""
    segment(config)
    evaluation, read = evaluate(config), []

    def noted(folder):
        read.append(folder)
        return {}

    monkeypatch.setattr("lsd.report.curves.read_curves", noted)
    draw_all(config, evaluation)
    assert read == [run_folder(config) / "main"]


def test_what_the_cremi_score_leaves_out_is_no_difference(config) -> None:
    """Most voxels of these neurons lie near a boundary."""
    config = config.derive(evaluate={"metric": "cremi"})
    segment(config)
    evaluation = evaluate(config)
    assert evaluation.part("test").score == 0
    found = evaluation.volumes["v_test"]
    partners = _partners(config, "v_test", found, evaluation.threshold)
    volume = open_volume(
        config.dataset.volumes()["v_test"], name="v_test", data_root=data_root(config)
    )
    results, roi = scored_results(config, "v_test"), Roi((4, 0, 4), (1, 20, 24))
    shown = _section(volume, results, evaluation.threshold, roi, settings=config.evaluate)
    table = found.table
    scored = table.voxels[table.objects < 2**64 - 1].sum()
    assert shown.scored.sum() == scored // ROI.shape[0]
    assert 0 < scored < table.voxels.sum() / 2
    inside = (shown.truth > 0) & (shown.segmentation > 0)
    assert not (partners.merged(shown.segmentation, shown.truth) & inside).any()
    assert not (partners.split(shown.segmentation, shown.truth) & inside).any()


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
