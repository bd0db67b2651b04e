"""Where a value stands in JSON that people wrote."""

import json

import pytest

from lsd.system.json_files import line_of

CONTENT = {
    "a, }": [[1, [2, "]"]], {"x": {}, "y": [3]}],
    "b": {"c": {"d": 4}, 'e"': [], "f": [5, 6]},
    "z": 7,
}


def places(content, at=()):
    """Each number of a value, and what leads to it."""
    if isinstance(content, int):
        yield at, content
    elif isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from places(value, (*at, key))


@pytest.mark.parametrize("layout", [{"indent": 1}, {"indent": 3, "separators": ("  ,", " :")}])
def test_each_value_has_its_line(layout) -> None:
    text = "\n\n" + json.dumps(CONTENT, **layout)
    found = dict(places(CONTENT))
    assert len(found) == 7
    for place, number in found.items():
        [line] = [n for n, each in enumerate(text.splitlines(), 1) if str(number) in each]
        assert line_of(text, place) == line, place
    assert {line_of(json.dumps(CONTENT), place) for place in found} == {1}
