"""Numbers of things in messages."""

from __future__ import annotations


def counted(count: int, noun: str, *, plural: str = "") -> str:
    """The number with its noun: "1 block", "3 blocks"; plural: of a noun that takes no s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
