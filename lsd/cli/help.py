"""What --help says of the fields of a config, wrapped to the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from lsd.cli.fields import Field, Section, sections
from lsd.spec.mistakes import ConfigError, suggestion

# columns before what a field means, and those that are filled, at most and at least
_INDENT, _WIDEST, _NARROWEST = 34, 110, 70


def listed(first: Sequence[str] = (), *, only: str = "") -> str:
    """All fields; first: top fields whose sections come before others; only: a key such as "train"
    or "dataset.train": nothing but what lies there.

    Raises ConfigError, with what there is, where nothing does.
    """
    parts = [section for section in sections() if not only or _is_below(section, only)]
    if not parts:
        keys = dict.fromkeys(key for section in sections() for key in section.keys if key)
        raise ConfigError(f"no part of a config is called {only!r}{suggestion(only, keys)}")
    ordered = sorted(parts, key=lambda section: _rank(section, first))
    return "\n\n".join("\n".join(_lines(section, width())) for section in ordered)


def width() -> int:
    """Columns to fill."""
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))


def _is_below(section: Section, only: str) -> bool:
    """Whether it lies at a key, or inside of it."""
    return any(f"{key}.".startswith(f"{only}.") for key in section.keys)


def _rank(section: Section, first: Sequence[str]) -> int:
    top = section.keys[0].partition(".")[0]
    return first.index(top) if top in first else len(first)


def _lines(section: Section, columns: int) -> Iterator[str]:
    named = ", ".join(key for key in section.keys if key) or "the config"
    yield from textwrap.wrap(
        f"{named}{f' (kind={section.kind})' if section.kind else ''}: {section.about}", columns
    )
    for field in section.fields:
        yield from _entry(field, columns)


def _entry(field: Field, columns: int) -> Iterator[str]:
    """The field and its default, and what it means beside it, or below where there is no room."""
    left = f"  {field.name}{f'={field.default}' if field.default else ''}"
    meaning = f"{field.meaning}{' (no default: give it)' if field.required else ''}"
    text = textwrap.wrap(meaning, columns - _INDENT, break_on_hyphens=False) or [""]
    if len(left) < _INDENT - 1:
        yield f"{left:<{_INDENT}}{text[0]}".rstrip()
        text = text[1:]
    else:
        yield left
    yield from (f"{'':<{_INDENT}}{line}" for line in text)
