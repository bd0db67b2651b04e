"""Numbers of things in messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """The number with its noun, in the plural unless it is one: "1 block", "3 blocks", "2 axes"."""
    return f"{count} {noun if count == 1 else _plural(noun)}"


def some(names: Sequence[str], most: int) -> str:
    """The first of them, and how many more there are: "a, b and 3 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def are(count: int) -> str:
    """ "is" of one thing, else "are"."""
    return "is" if count == 1 else "are"


def _plural(noun: str) -> str:
    if noun.endswith("is"):
        return f"{noun[:-2]}es"
    return f"{noun}es" if noun.endswith(("s", "ch")) else f"{noun}s"
