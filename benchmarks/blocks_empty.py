"""Ten thousand blocks in which nothing is done: handing out, noting and counting them, with start
and end of the step."""

from __future__ import annotations

from typing import Any

from benchmarks.scale.process import fresh

WORKERS = {"in this process": 0, "one worker": 1, "two workers": 2}


def run(*, count: int = 10_000) -> dict[str, Any]:
    """Seconds and CPU seconds of so many blocks."""
    results: dict[str, Any] = {"empty blocks": count}
    for name, workers in WORKERS.items():
        cost = fresh("benchmarks.scale.scheduling:empty", count=count, workers=workers)
        results |= {f"{name}, s": cost.wall, f"{name}, CPU s": cost.cpu}
    return results


def main() -> None:
    """Prints what was measured; a minute."""
    for name, value in run().items():
        print(f"{name:24} {value:10.4g}")


if __name__ == "__main__":
    main()
