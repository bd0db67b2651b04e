"""The frame of a page: its style and script inside it, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

# nothing is asked of any other host, whatever a page holds
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def document(title: str, head: str, sections: Mapping[str, str]) -> str:
    """A whole HTML page.  head: what comes first;  sections: HTML by title, empty ones are left
    out, and a list of them leads to each."""
    there = {name: body for name, body in sections.items() if body}
    links = "".join(f'<li><a href="#{_id(name)}">{escape(name)}</a></li>' for name in there)
    bodies = "".join(
        f'<section id="{_id(name)}"><h2>{escape(name)}</h2>{body}</section>'
        for name, body in there.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_file('report.css')}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{head}"
        f'<nav aria-label="sections"><ul>{links}</ul></nav>{bodies}</main>'
        f"<script>{_file('report.js')}</script></body></html>\n"
    )


def paragraph(text: str, *, note: bool = False) -> str:
    """A paragraph of plain text; "" where there is none."""
    kind = ' class="note"' if note else ""
    return f"<p{kind}>{escape(text)}</p>" if text else ""


def folded(title: str, body: str, *, printed: bool = True) -> str:
    """What is seen when it is asked for, and on paper."""
    kind = ' class="print"' if printed else ""
    return f"<details{kind}><summary>{escape(title)}</summary>{body}</details>"


def _id(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
