"""The page in a real browser: nothing goes wrong in its console, sliders move by the keyboard, and
it fits a phone and paper."""

import json

import pytest
from browser import END, HOME, LEFT, RIGHT, browser
from page_reader import data, read_page
from reported_run import make

from lsd.report.page.write import write_comparison
from lsd.spec.paths import evaluation_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def run(folder):
    return make(folder)


@pytest.fixture(scope="module")
def pages(run, folder):
    """The page of the run, and that of two side by side."""
    config, _, written = run
    other, _, _ = make(folder, name="other", seed=1, noise=0.3)
    return {
        "one": written,
        "two": write_comparison([config, other], folder / "both.html"),
    }


@pytest.fixture(scope="module")
def desk():
    with browser(width=1280, height=900) as window:
        yield window


@pytest.fixture
def opened(desk, pages):
    desk.open(pages["one"])
    assert desk.console() == []
    return desk


@pytest.mark.parametrize("which", ["one", "two"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_goes_wrong(pages, which, width, tmp_path) -> None:
    with browser(width=width, height=800) as window:
        window.open(pages[which])
        window.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
        for slider in window.find("input[type=range]:not([disabled])"):
            window.press(slider, HOME)
            window.press(slider, RIGHT)
        for button in window.find("thead button, .stops button"):
            window.run("arguments[0].click()", {_KEY: button})
        assert window.console() == []
        asked = "return performance.getEntriesByType('resource').map(each => each.name)"
        assert [name for name in window.run(asked) if not name.startswith("data:")] == []
        assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
        small = "return [...document.querySelectorAll('button, input')].filter(e =>"
        small += " e.offsetParent && e.offsetHeight < 20).length"
        assert window.run(small) == 0, "all can be touched"
        window.screenshot(tmp_path / "seen.png")
        assert (tmp_path / "seen.png").stat().st_size > 5000


def test_the_slider_of_thresholds(opened, run) -> None:
    config, evaluation, _ = run
    scores = json.loads(evaluation_file(config).read_text())
    sweep = scores["volumes"]["v_validate"]["sweep"]
    slider = opened.find(".chart input")[0]
    shown = "return [...document.querySelector('.chart').querySelectorAll('output, .value')]"
    shown += ".map(each => each.textContent)"
    picked = repr(float(evaluation.threshold))
    assert opened.run(shown)[:2] == [_read(float(picked)), _read(sweep[picked]["voi_sum"])]
    places = []
    for keys, threshold in ((HOME, "0.2"), (RIGHT, "0.5"), (END, "0.9"), (LEFT, "0.5")):
        opened.press(slider, keys)
        values = [sweep[threshold][name] for name in ("voi_sum", "voi_split", "voi_merge")]
        assert opened.run(shown)[:4] == [_read(float(threshold)), *map(_read, values)]
        cursor = "return Number(document.querySelector('.cursor').getAttribute('x1'))"
        places.append(opened.run(cursor))
    assert places[0] < places[1] == places[3] < places[2]


def test_sliders_through_sections_and_layers(opened, pages) -> None:
    content = data(
        read_page(pages["one"].read_text(encoding="utf-8")).find("div", class_="slices")[0]
    )
    [fade, first, *_] = opened.find(".slices input")
    plane, last = content["planes"][0], len(content["titles"]) - 1

    def seen():
        lower, upper = "img:first-of-type", "img:nth-of-type(2)"
        return opened.run(
            "const stack = document.querySelector('.slices .stack');"
            f"const [a, b] = [stack.querySelector('{lower}'), stack.querySelector('{upper}')];"
            "return [a.src, b.src, Number(b.style.opacity), a.naturalWidth > 0]"
        )

    opened.press(first, HOME)
    assert seen()[0] == plane["pictures"][0][0]
    opened.press(first, RIGHT)
    assert seen()[0] == plane["pictures"][0][1]
    opened.press(fade, HOME + RIGHT * 3)
    assert seen()[:3] == [plane["pictures"][0][1], plane["pictures"][1][1], pytest.approx(0.3)]
    opened.press(fade, END)
    assert seen()[0] == plane["pictures"][last][1]
    assert seen()[3], "the picture is one that the browser reads"
    words = "return document.querySelector('.slices output').textContent"
    assert opened.run(words) == "segmentation"
    opened.click(opened.find(".slices .stops button")[1])
    assert opened.run(words) == "truth"
    assert seen()[0] == plane["pictures"][1][1]
    place = "return document.querySelector('.plane output').textContent"
    voxel, nm = plane["voxels"][1], plane["places"][1]
    assert opened.run(place) == f"z = {voxel} ({nm:.0f} nm)"


def test_rows_are_sorted_by_a_click(opened) -> None:
    button = opened.find("table.sortable thead button")[8]
    costs = "return [...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]"
    costs += ".map(row => Number(row.cells[8].dataset.sort))"
    orders = []
    for _ in range(2):
        opened.run("arguments[0].click()", {_KEY: button})
        orders.append(opened.run(costs))
    assert orders[0] == sorted(orders[0], reverse=True) != orders[1]
    assert orders[1] == sorted(orders[1])


def test_what_is_undefined_is_sorted_below_all_else(opened) -> None:
    rows = "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]"
    opened.run(
        f"{rows}.forEach((row, i) => {{ const cell = row.cells[8];"
        " delete cell.dataset.sort; if (i != 1) cell.dataset.sort = [1, 0, 3, 2][i]; })"
    )
    button = opened.find("table.sortable thead button")[8]
    found = f"return {rows}.map(row => row.cells[8].dataset.sort ?? null)"
    for order in (["3", "2", "1", None], [None, "1", "2", "3"]):
        opened.run("arguments[0].click()", {_KEY: button})
        assert opened.run(found) == order


def test_on_paper_all_layers_are_seen_and_no_slider(opened) -> None:
    assert opened.printed()[:5] == b"%PDF-"
    metrics = {"media": "print"}
    opened.ask("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": metrics})
    hidden = "return [...document.querySelectorAll('input, nav, .stops')]"
    hidden += ".every(each => each.offsetParent === null)"
    assert opened.run(hidden)
    shown = "return [...document.querySelector('.sheet').querySelectorAll('img')]"
    shown += ".map(each => each.offsetWidth > 0 && each.naturalWidth > 0)"
    assert opened.run(shown) == [True] * 5
    opened.ask("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"media": ""}})


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_the_paper(pages, dark) -> None:
    """Contrast by WCAG: 7 for text, 4.5 for what is less important, 3 for lines."""
    with browser(dark=dark) as window:
        window.open(pages["one"])
        names = ["paper", "panel", "ink", "muted", "accent", *(f"s{n}" for n in range(8))]
        found = window.run(
            "const style = getComputedStyle(document.documentElement);"
            "return arguments[0].map(name => style.getPropertyValue('--' + name).trim())",
            names,
        )
        colours = dict(zip(names, found, strict=True))
        assert (_luminance(colours["paper"]) < 0.1) == dark
        for ground in ("paper", "panel"):
            assert _contrast(colours["ink"], colours[ground]) >= 7
            for name in ("muted", "accent"):
                assert _contrast(colours[name], colours[ground]) >= 4.5
        for n in range(8):
            assert _contrast(colours[f"s{n}"], colours["paper"]) >= 3


_KEY = "element-6066-11e4-a52e-4f735466cecf"


def _read(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
