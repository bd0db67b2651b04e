"""Curves as drawings: where points are drawn, and how numbers are read."""

import itertools
import re

import pytest
from page_reader import data, read_page

from lsd.report.page.chart import UNDEFINED, Chart, Line, drawn, number


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, UNDEFINED), (float("nan"), UNDEFINED), (float("inf"), UNDEFINED),
        (0.0, "0"), (3, "3"), (-2.0, "-2"),
        (0.12345, "0.123"), (1.9996, "2.000"), (12345.678, "12345.678"), (999999.0, "999999"),
        (1e7, "1.00e+07"), (0.00012, "1.20e-04"), (-0.5, "-0.500"), (123456.5, "1.23e+05"),
    ],
)  # fmt: skip
def test_a_number_as_people_read_it(value, read) -> None:
    assert number(value) == read


def test_points_lie_where_their_values_are() -> None:
    text = drawn(Chart("a", "x", "y", [Line("one", (0, 1, 2, 4), (0.0, 2.0, None, 1.0))]))
    [path] = re.findall(r'class="line s0" d="M([^"/]+)"', text)[:1]
    points = [tuple(map(float, pair.split())) for pair in path.split("L")]
    assert len(points) == 3, "what is undefined is left out"
    (x0, y0), (x1, y1), (x4, y4) = points
    assert x1 - x0 == pytest.approx((x4 - x0) / 4, abs=0.1)
    assert y0 - y4 == pytest.approx((y0 - y1) / 2, abs=0.1)
    assert y1 < y4 < y0, "larger values are higher"
    page = read_page(text)
    assert data(page)["lines"] == [{"xs": [0, 1, 2, 4], "ys": [0.0, 2.0, None, 1.0]}]
    assert data(page)["places"] == [pytest.approx(x, abs=0.06) for x in (x0, x1, x4)]


def test_several_powers_of_ten_are_drawn_as_powers() -> None:
    ys = (100.0, 10.0, 1.0, 0.1)
    text = drawn(Chart("loss", "iteration", "loss", [Line("total", (1, 2, 3, 4), ys)]))
    path = re.findall(r'class="line s0" d="M([^"/]+)"', text)[0]
    heights = [float(pair.split()[1]) for pair in path.split("L")]
    steps = [b - a for a, b in itertools.pairwise(heights)]
    assert steps == [pytest.approx(steps[0], abs=0.2)] * 3
    for tick in (">100<", ">10<", ">1<", ">0.1<"):
        assert tick in text


def test_the_slider_begins_at_the_mark_else_at_the_end() -> None:
    line = Line("sum", (0.1, 0.5, 0.9), (3.0, 1.0, 2.0))
    marked = read_page(drawn(Chart("v", "threshold", "y", [line], mark=0.5, mark_words="picked")))
    [slider] = marked.find("input")
    assert slider.attributes["value"] == "1"
    assert marked.find("td", class_="value")[0].text == "1"
    assert "picked 0.5" in marked.text
    plain = read_page(drawn(Chart("v", "threshold", "y", [line])))
    assert plain.find("input")[0].attributes["value"] == "2"


def test_names_are_text_and_data_cannot_end_its_element() -> None:
    text = drawn(Chart("</script><b>", "x", "y", [Line("<i>&", (0, 1), (0.0, 1.0))]))
    page = read_page(text)
    assert page.find("figcaption")[0].text == "</script><b>"
    assert not page.find("b")
    assert not page.find("i")


def test_what_has_no_value_is_no_drawing() -> None:
    assert drawn(Chart("a", "x", "y", [])) == ""
    assert drawn(Chart("a", "x", "y", [Line("one", (0, 1), (None, float("inf")))])) == ""
    one = drawn(Chart("a", "x", "y", [Line("one", (3,), (0.0,))]))
    assert "nan" not in one.lower()


def test_what_is_no_number_leaves_the_rest_to_be_read() -> None:
    """A loss that was nan once: JSON has no such number, and a browser would read none."""
    ys = (2.0, float("nan"), float("inf"), 1.0)
    text = drawn(Chart("loss", "iteration", "loss", [Line("total", (1, 2, 3, 4), ys)]))
    assert "NaN" not in text
    assert "Infinity" not in text
    assert data(read_page(text))["lines"] == [{"xs": [1, 2, 3, 4], "ys": [2.0, None, None, 1.0]}]
