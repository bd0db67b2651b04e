"""Curves of training as they are read back from what training writes."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lsd.report.curves import Curve, read_curves
from lsd.training.tensorboard import TensorBoard


def test_equals_what_tensorboard_reads(tmp_path) -> None:
    values = {step: 1.0 / step for step in range(1, 300)}
    with TensorBoard(tmp_path, iterations_done=0) as board:
        for step, value in values.items():
            board.curves({"loss/total": value, "lr": value / 2}, iteration=step)
    [file] = tmp_path.glob("events*")
    events = EventAccumulator(str(file), size_guidance={"scalars": 0})
    events.Reload()
    curves = read_curves(tmp_path)
    assert set(curves) == {"loss/total", "lr"}
    for tag, curve in curves.items():
        expected = [(event.step, event.value) for event in events.Scalars(tag)]
        assert list(zip(curve.iterations, curve.values, strict=True)) == expected
        assert len(expected) == 299


def test_what_a_killed_run_wrote_of_later_iterations_counts_no_more(tmp_path) -> None:
    with TensorBoard(tmp_path, iterations_done=0) as board:
        for step in range(1, 9):
            board.curves({"loss": float(step)}, iteration=step)
        board.curves({"validation": 8.0}, iteration=8)
    # it goes on from iteration 4, and was stopped again after 6
    with TensorBoard(tmp_path, iterations_done=4) as board:
        for step in (5, 6):
            board.curves({"loss": 10.0 * step}, iteration=step)
    curves = read_curves(tmp_path)
    assert curves == {"loss": Curve((1, 2, 3, 4, 5, 6), (1.0, 2.0, 3.0, 4.0, 50.0, 60.0))}


def test_more_writers_than_nine_in_one_process(tmp_path) -> None:
    for done in range(12):
        with TensorBoard(tmp_path, iterations_done=done) as board:
            board.curves({"loss": float(done)}, iteration=done + 1)
    assert read_curves(tmp_path)["loss"].values == tuple(map(float, range(12)))


def test_a_damaged_file_and_a_missing_folder_are_no_curves(tmp_path) -> None:
    assert read_curves(tmp_path / "none") == {}
    (tmp_path / "events.out.tfevents.1.host.1.0").write_bytes(b"no events at all" * 20)
    with TensorBoard(tmp_path, iterations_done=0) as board:
        board.curves({"loss": 1.0}, iteration=1)
    assert read_curves(tmp_path) == {"loss": Curve((1,), (1.0,))}


@pytest.mark.parametrize("count", [1, 7, 400, 401, 9999])
def test_a_thinned_curve_keeps_its_end(count) -> None:
    curve = Curve(tuple(range(count)), tuple(map(float, range(count))))
    thin = curve.thinned(400)
    assert len(thin.values) <= 400
    assert thin.iterations[-1] == count - 1
    assert list(thin.iterations) == [int(value) for value in thin.values]
    assert len(set(map(int.__sub__, thin.iterations[1:], thin.iterations))) <= 1
