"""Tables of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lsd.report.page.chart import number


@dataclass(frozen=True)
class Cell:
    """A number, and where it stands in evaluation.json: "/volumes/v_test/scores/voi_sum" (a JSON
    pointer).

    text: what is read, if it is not the number
    """

    value: float | None
    pointer: str = ""
    text: str = ""


Content = Cell | str


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Content]],
    *,
    sortable: bool = False,
    name: str = "",
) -> str:
    """Rows below a header; columns of numbers to the right.  It scrolls by itself where it is wider
    than the page."""
    is_number = [
        bool(rows) and all(isinstance(row[i], Cell) for row in rows) for i in range(len(header))
    ]
    head = "".join(
        f'<th scope="col"{_class(right)}>{_title(title, sortable)}</th>'
        for title, right in zip(header, is_number, strict=True)
    )
    body = "".join(map(_row, rows))
    words = f' aria-label="{escape(name)}"' if name else ""
    return (
        f'<div class="scroll" tabindex="0" role="region"{words}>'
        f"<table{' class=sortable' if sortable else ''}>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def definitions(entries: Mapping[str, str]) -> str:
    """Words and what they mean."""
    listed = (f"<dt>{escape(word)}</dt><dd>{escape(what)}</dd>" for word, what in entries.items())
    return f"<dl>{''.join(listed)}</dl>"


def pointer(*parts: object) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _row(row: Sequence[Content]) -> str:
    return f"<tr>{''.join(_cell(cell, first=i == 0) for i, cell in enumerate(row))}</tr>"


def _title(title: str, sortable: bool) -> str:
    return f'<button type="button">{escape(title)}</button>' if sortable else escape(title)


def _class(right: bool) -> str:
    return ' class="number"' if right else ""


def _cell(content: Content, *, first: bool) -> str:
    if isinstance(content, str):
        tag = 'th scope="row"' if first else "td"
        return f"<{tag}>{escape(content)}</{tag.split()[0]}>"
    at = f' data-json="{escape(content.pointer)}"' if content.pointer else ""
    sort = "" if content.value is None else f' data-sort="{content.value!r}"'
    return f'<td class="number"{at}{sort}>{escape(content.text) or number(content.value)}</td>'
