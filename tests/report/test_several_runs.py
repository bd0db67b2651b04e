"""Several runs side by side, and the command that writes pages."""

import json
import math
import shutil
import statistics
from dataclasses import replace

import pytest
from page_reader import at, data, numbers, outside, read_page
from reported_run import make, make_config

from lsd.cli.commands import report
from lsd.evaluation.metrics.foreground import ForegroundScore
from lsd.report.page.several import _alike, _scores, _seeds, _sweeps, over_seeds, seed_groups
from lsd.report.recorded import Recorded, read_recorded
from lsd.spec.paths import evaluation_file, run_folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one config, and one that is segmented otherwise."""
    folder = tmp_path_factory.mktemp("several")
    names = {"first": 1, "second": 2}
    configs = [make(folder, name=n, seed=s, noise=0.1 * s)[0] for n, s in names.items()]
    shutil.copytree(run_folder(configs[0]), folder / "elsewhere" / "moved")
    return folder, configs


def run_command(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        report.main(list(words), program="lsd report")
    return end.value.code or 0


def test_a_table_over_runs_and_seeds(runs, capsys) -> None:
    folder, configs = runs
    assert run_command(*(str(run_folder(config)) for config in configs)) == 0
    path = folder / "runs" / "report.html"
    assert str(path) in capsys.readouterr().out
    page = read_page(path.read_text(encoding="utf-8"))
    found = [json.loads(evaluation_file(config).read_text()) for config in configs]
    read = numbers(page)
    for pointer, text in read.items():
        value = at(found, pointer)
        assert text == (f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"), pointer
    assert {f"/{n}/volumes/v_test/scores/voi_sum" for n in (0, 1)} <= set(read)
    along = "skeletons/volumes/v_validate/scores"
    for key in ("run_lengths/0 nodes/nerl", "run_lengths/0 nodes/split", "edits/merges"):
        assert {f"/{n}/{along}/{key}" for n in (0, 1)} <= set(read)
    [seeds] = page.find("section", id="seeds")
    sums = [each["parts"]["test"]["voi_sum"] for each in found]
    [row] = [row for row in seeds.find("tr") if "test" in [c.text for c in row.find("td")]]
    mean, deviation = statistics.fmean(sums), statistics.stdev(sums)
    assert _near(row.find("td")[4].text, mean, deviation)


def test_curves_in_one_drawing_and_sections_side_by_side(runs) -> None:
    folder, configs = runs
    out = folder / "both.html"
    assert run_command(*(str(run_folder(c)) for c in configs), "--out", str(out)) == 0
    page = read_page(out.read_text(encoding="utf-8"))
    links = {each.attributes["href"] for each in page.find("a")}
    assert {"runs/first/report.html", "runs/second/report.html"} <= links
    assert outside(page) == ["runs/first/report.html", "runs/second/report.html"]
    charts = {each.find("figcaption")[0].text: each for each in page.find("figure", class_="chart")}
    assert {"v_validate", "v_test", "main: training loss", "main: validation"} == set(charts)
    for n, config in enumerate(configs):
        sweep = json.loads(evaluation_file(config).read_text())["volumes"]["v_test"]["sweep"]
        line = data(charts["v_test"])["lines"][n]
        assert line["ys"] == [values["voi_sum"] for values in sweep.values()]
    loss = data(charts["main: training loss"])["lines"]
    assert [line["ys"][0] for line in loss] == [pytest.approx(1.0), pytest.approx(2 / 3)]
    slices = data(page.find("div", class_="slices")[0])
    assert slices["titles"] == ["raw", "truth", "first", "second"]


def test_runs_of_several_metrics_share_no_drawing_and_no_table(runs) -> None:
    """Of the one VOI, of the other, and of another seed of it, the foreground."""
    voi = read_recorded(runs[1][0])
    fields = {"evaluate": {"metric": {"kind": "foreground"}}}
    values = ForegroundScore(both=10, segments_alone=2, objects_alone=3, neither=50)
    scored = values.as_dict()
    volumes = {"v_test": {"part": "test", "scores": scored, "fragments": None, "sweep": {}}}
    volumes["v_test"]["sweep"]["0.3"] = scored
    found = {"threshold": 0.3, "volumes": volumes, "parts": {"test": scored}}
    others = [
        replace(voi, config=voi.config.derive(**fields, train={"seed": n}), evaluation=found)
        for n in (1, 2)
    ]
    both, names = [voi, *others], ["voi", "one", "two"]
    drawn = {(c.title, c.y): [line.name for line in c.lines] for c in _sweeps(both, names)}
    assert drawn[("v_test", "VOI sum [bits]")] == ["voi"]
    (other,) = [key for key in drawn if key[0] == "v_test" and key[1] != "VOI sum [bits]"]
    assert drawn[other] == ["one", "two"]
    first, second = read_page(_scores(both, names)).find("table")
    assert "VOI sum" in first.text
    assert "VOI sum" not in second.text
    shown = [[cell.text for cell in row.find("td")] for row in second.find("tr")][1:]
    assert len(shown) == 2
    assert "one" in second.text
    assert "two" in second.text
    assert all(f"{scored['iou']:.3f}" in row for row in shown)
    (means,) = read_page(_seeds(both, names)).find("table")
    assert f"{scored['iou']:.3f} ± 0" in means.text


def test_a_folder_that_was_moved(runs) -> None:
    folder, _ = runs
    moved = folder / "elsewhere" / "moved"
    assert run_command(str(moved)) == 0
    page = read_page((moved / "report.html").read_text(encoding="utf-8"))
    assert page.find("h1")[0].text == "Run moved"
    assert numbers(page)


def test_runs_that_differ_by_more_than_their_seed_have_no_common_mean(runs) -> None:
    _, configs = runs
    recorded = [read_recorded(config) for config in configs]
    assert seed_groups(recorded) == [[0, 1]]
    other = recorded[1].config.derive(segment={"thresholds": (0.3, 0.4)})
    evaluation = {k: v for k, v in recorded[1].evaluation.items() if k != "volumes"}
    changed = type(recorded[1])(other, evaluation, {}, {}, [])
    assert seed_groups([recorded[0], changed]) == [[0], [1]]


@pytest.mark.parametrize(
    ("values", "mean", "text"),
    [
        ([0.25, 0.75], 0.5, "0.500 ± 0.354"),
        ([0.25, None, 0.75], 0.5, "0.500 ± 0.354 (2 of 3)"),
        ([math.inf, 0.25, math.nan], 0.25, "0.250 (1 of 3)"),
        ([0.25], 0.25, ""),
        ([None, None], None, ""),
    ],
)
def test_a_mean_says_of_how_many_seeds_it_is(values, mean, text) -> None:
    found = over_seeds(values)
    assert (found.value, found.text) == (mean, text)


def test_what_is_no_run_is_refused_in_words(tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert run_command(str(tmp_path / "empty")) == 2
    assert "no folder of a run" in capsys.readouterr().err
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{")
    assert run_command(str(tmp_path / "bad")) == 2
    assert "no JSON" in capsys.readouterr().err


def _near(text: str, mean: float, deviation: float) -> bool:
    first, _, second = text.partition(" ± ")
    close = [abs(float(a) - b) < 6e-4 for a, b in ((first, mean), (second, deviation))]
    return all(close)


def test_links_are_addresses_whatever_runs_are_called(runs) -> None:
    folder, configs = runs
    other, out = folder / "elsewhere" / "again #1", folder / "linked.html"
    shutil.copytree(run_folder(configs[0]), other)
    assert run_command(str(run_folder(configs[0])), str(other), "--out", str(out)) == 0
    links = read_page(out.read_text(encoding="utf-8")).find("a")
    assert "elsewhere/again%20%231/report.html" in [each.attributes["href"] for each in links]


def test_sections_are_of_one_file(tmp_path) -> None:
    """Relative paths mean other files where data lie elsewhere."""
    scored = {"volumes": {"v_test": {"begin": [2, 0, 4], "end": [14, 20, 40], "part": "test"}}}
    config = make_config(tmp_path)
    path = str(tmp_path / "v.zarr")

    def alike(volume):
        configs = [
            config.derive(dataset={"test": (volume,)}, data_root=str(tmp_path / root))
            for root in (".", "elsewhere", "x/..")
        ]
        return _alike([Recorded(each, scored, {}, {}, []) for each in configs], "v_test")

    [named] = config.dataset.test
    assert alike(named) == [0, 2]
    assert alike(named.derive(path=path)) == [0, 1, 2]
