"""The figure of a distribution, and the command that draws it."""

import subprocess
import sys

import numpy as np
import pytest

from lsd.cli.commands.density import main
from lsd.objects.distribution import distribution
from lsd.objects.located import Located
from lsd.objects.tables import write_located
from lsd.report.canvas import new_figure
from lsd.report.distributions import draw_distribution


def located(count: int) -> Located:
    rng = np.random.default_rng(0)
    points = rng.uniform(1000, 9000, (count, 3))
    return Located(
        id=np.arange(1, count + 1, dtype=np.uint64),
        point=points,
        begin=points - 100,
        end=points + 100,
        voxels=np.full(count, 5, np.uint64),
        volume=rng.lognormal(2, 0.5, count),
        confidence=np.ones(count),
    )


def test_importing_it_does_not_load_matplotlib() -> None:
    code = "import sys, lsd.report.distributions; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_panel_for_each_axis_and_one_of_sizes(tmp_path, monkeypatch, count) -> None:
    figures = []

    def kept(*shape, **options):
        figures.append(new_figure(*shape, **options))
        return figures[-1]

    monkeypatch.setattr("lsd.report.distributions.new_figure", kept)
    found = distribution(located(count), begin=(0, 0, 0), end=(10_000,) * 3, bins=5)
    path = draw_distribution(found, tmp_path / "new" / "d.png", title="some")
    assert path.read_bytes().startswith(b"\x89PNG")
    [(figure, axes)] = figures
    assert [axis.get_xlabel()[:1] for axis in axes] == ["z", "y", "x", "s"]
    for axis, along in zip(axes, found.densities, strict=False):
        [stairs] = axis.patches
        np.testing.assert_allclose(stairs.get_data().values, along.density)
        np.testing.assert_allclose(stairs.get_data().edges, along.edges / 1000)
    [stairs] = axes[-1].patches
    assert stairs.get_data().values.sum() == count
    assert figure.get_suptitle() == "some"


def test_the_command_writes_both_beside_the_table(tmp_path, capsys) -> None:
    write_located(located(40), tmp_path / "brain.csv")
    with pytest.raises(SystemExit, match="0"):
        main([str(tmp_path / "brain.csv"), "--begin", "0,0,0", "--end", "10000,10000,10000"])
    said = capsys.readouterr().out
    assert "40 objects in 1e-06 mm3: 4e+07 per mm3" in said
    assert (tmp_path / "brain_density.png").is_file()
    lines = (tmp_path / "brain_density.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 20
    with pytest.raises(SystemExit, match="0"):
        main([str(tmp_path / "brain.csv"), "--bins", "2", "--out", str(tmp_path / "other.v2")])
    assert len((tmp_path / "other.v2.csv").read_text().splitlines()) == 1 + 4 * 2


def test_the_command_refuses_in_words(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "none.csv")])
    assert ended.value.code == 1
    assert "there is no table" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.csv"), "--begin", "0;0"])
    assert "write nm of each axis" in capsys.readouterr().err
