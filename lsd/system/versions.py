"""Which versions of what a program ran with."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import lsd

PACKAGES = ("torch", "numpy", "scipy", "zarr", "numcodecs", "gunpowder", "daisy", "pydantic")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """{name: version} of lsd, its commit where it is a checkout, Python, and the packages that
    numbers depend on."""
    return {
        "lsd": lsd.__version__,
        **_commit(),
        "python": platform.python_version(),
        **dict(_packages()),
    }


def _packages() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _commit() -> dict[str, str]:
    """Of the checkout that lsd is in; "-dirty" where files differ from it."""
    root = Path(lsd.__file__).parents[1]
    # whatever repository an installed lsd may lie in is not its own
    if not (root / ".git").exists():
        return {}
    command = (
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": done.stdout.strip()}
