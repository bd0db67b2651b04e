"""What the bar says, read from the terminal it writes to."""

import time

import pytest

from lsd.training.progress import Progress


def _bar(voxels=1000, show=True):
    return Progress("main", done=0, total=9, voxels=voxels, show=show)


@pytest.mark.parametrize(
    ("voxels", "unit"), [(50, "voxel/s"), (5_000, "kvoxel/s"), (5_000_000, "Mvoxel/s")]
)
def test_speed_has_a_unit_that_fits(capsys, voxels, unit) -> None:
    with _bar(voxels) as bar:
        for _ in range(3):
            time.sleep(0.12)
            bar.advance(0.5)
    number = capsys.readouterr().err.rpartition("loss 0.5000, ")[2].removesuffix(f"{unit}]\n")
    # at most 8 iterations a second, and surely more than one in five
    assert (
        0.2 * voxels
        < float(number) * {"": 1, "k": 1e3, "M": 1e6}[unit.removesuffix("voxel/s")]
        < 9 * voxels
    )


def test_it_says_what_is_done_instead_of_iterations(capsys) -> None:
    with _bar() as bar:
        assert capsys.readouterr().err.rstrip().endswith(", starting]")
        time.sleep(0.12)
        bar.advance(0.5)
        assert "loss 0.5000" in capsys.readouterr().err
        with bar.doing("validating"):
            assert capsys.readouterr().err.rstrip().endswith(", validating]")
    last = capsys.readouterr().err.splitlines()[-1]
    assert "loss 0.5000" in last
    assert "validating" not in last


def test_time_that_is_left_out_is_no_part_of_throughput() -> None:
    for show in (True, False):
        with _bar(show=show) as bar:
            with bar.doing("validating"):
                time.sleep(0.5)
            bar.advance(0.5)
            found = bar.throughput()
        assert found["iterations_per_second"] > 2
        assert found["voxels_per_second"] == pytest.approx(1000 * found["iterations_per_second"])


def test_a_start_that_failed_leaves_no_bar(capsys) -> None:
    with pytest.raises(ValueError), _bar():
        raise ValueError
    *_, cleared, end = capsys.readouterr().err.split("\r")
    assert (cleared.strip(), end) == ("", "")


def test_what_is_not_shown_says_nothing(capsys) -> None:
    with _bar(show=False) as bar:
        bar.advance(0.5)
        with bar.doing("validating"):
            pass
    assert capsys.readouterr().err == ""
