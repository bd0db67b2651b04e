"""An environment of its own for each peer: their dependencies exclude ours (lsds installs a package
called lsd, too)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# what the reference's users run today
STOCK = ("gunpowder==1.4.4", "lsds==0.1.3", "zarr==2.18.7", "numpy<2.4")


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The python of a virtual environment that holds `requirements`; made on the first call, found
    again later.

    It lies in $LSD_BENCHMARK_ENVS, by default below the user's cache folder; other requirements
    make another one.  Raises RuntimeError with pip's words where an installation fails.
    """
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:8]
    folder = _root() / f"{name}-{digest}"
    python = folder / "bin" / "python"
    if not (folder / ".done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _call(sys.executable, "-m", "venv", str(folder))
        _call(
            str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements
        )
        (folder / ".done").touch()
    return python


def run_in(python: Path, script: Path, *arguments: str) -> str:
    """What `script` prints when that python runs it: outside this checkout, so that `import lsd`
    finds the peer's."""
    # -P: the script's folder holds modules of ours that must not shadow the peer's
    return _call(str(python), "-P", str(script), *arguments, cwd=python.parent)


def _root() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("LSD_BENCHMARK_ENVS") or Path(cache) / "lsd-benchmarks")


def _call(*command: str, cwd: Path | None = None) -> str:
    clean = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} failed with exit status {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stdout
