"""What a page holds, read by Python's own parser."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}
# attributes by which a page would ask for something
ADDRESSES = ("src", "href", "srcset", "data", "action", "poster")


@dataclass
class Element:
    """An element: its name, attributes, the text in it, and what it holds."""

    tag: str
    attributes: dict
    children: list = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self):
        for child in self.children:
            if not isinstance(child, str):
                yield child
                yield from child.all()

    def find(self, tag: str, **attributes):
        return [
            each
            for each in self.all()
            if each.tag == tag
            and all(each.attributes.get(k.rstrip("_")) == v for k, v in attributes.items())
        ]


class Reader(HTMLParser):
    """Builds the tree, and refuses elements that are not closed, or closed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag, attributes) -> None:
        element = Element(tag, dict(attributes))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attributes) -> None:
        self._open[-1].children.append(Element(tag, dict(attributes)))

    def handle_endtag(self, tag) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data) -> None:
        self._open[-1].children.append(data)


def read_page(text: str) -> Element:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader._open == [reader.root], "all is closed"
    return reader.root


def numbers(page: Element) -> dict[str, str]:
    """What is read at each JSON pointer."""
    return {
        each.attributes["data-json"]: each.text
        for each in page.all()
        if "data-json" in each.attributes
    }


def at(content, pointer: str):
    """What a JSON pointer (RFC 6901) means."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        content = content[int(key)] if isinstance(content, list) else content[key]
    return content


def data(element: Element):
    """The JSON that a script in it holds."""
    [script] = element.find("script", type="application/json")
    return json.loads(script.text)


def outside(page: Element) -> list[str]:
    """Addresses that the page would ask a network, or another file, for."""
    return [
        value
        for each in page.all()
        for name in ADDRESSES
        if (value := each.attributes.get(name)) and not value.startswith(("data:", "#"))
    ]
