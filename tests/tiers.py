"""Which tests are too long for `make test`: those that take more than five seconds of the
processor and are not marked.

Processor time, with that of processes which a test started and waited for: what else the machine
does is no part of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

LONG = ("slow", "faults")
MOST_SECONDS = 5.0
_KEY = "processor seconds"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Notes what the test takes; fixtures, which several may share, are left out."""
    before = _used()
    try:
        return (yield)
    finally:
        item.user_properties.append((_KEY, _used() - before))


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Notes which markers count, since a report holds names only."""
    item.user_properties.append(("long", any(item.get_closest_marker(name) for name in LONG)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the tests that should be marked."""
    found = too_long(
        report for report in terminalreporter.getreports("passed") if report.when == "call"
    )
    if found:
        terminalreporter.section(
            f"more than {MOST_SECONDS:.0f} s of the processor: mark them slow, or make them shorter"
        )
        for name, seconds in found:
            terminalreporter.line(f"{seconds:6.1f} s  {name}")


def too_long(reports: Iterator[pytest.TestReport]) -> list[tuple[str, float]]:
    """(name, seconds) of what is not marked and takes too long, the longest first."""
    noted = [(report.nodeid, dict(report.user_properties)) for report in reports]
    found = [
        (name, said[_KEY]) for name, said in noted if not said["long"] and said[_KEY] > MOST_SECONDS
    ]
    return sorted(found, key=lambda each: -each[1])


def _used() -> float:
    return sum(os.times()[:4])
