"""The way back where the newest checkpoint of a run is cut or damaged."""

from __future__ import annotations

import shlex
from pathlib import Path

from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.files import BEST, file_name, listing


def way_back(path: Path) -> str:
    """What to type so that the run goes on from the last whole checkpoint before `path`, as a
    sentence.

    Nothing is removed unasked: a file that cannot be read today, on a disk that fails, may be
    readable tomorrow.
    """
    folder, best = path.parent, path.with_name(BEST)
    earlier = [other for other in reversed(listing(folder)) if other != path]
    whole = next((other for other in earlier if checkpoint.is_whole(other)), None)
    damaged = [path, *(earlier if whole is None else earlier[: earlier.index(whole)])]
    best_is_whole = best.exists() and checkpoint.is_whole(best)
    if best.exists() and not best_is_whole:
        damaged.append(best)
    if whole is not None:
        return (
            f"{_typed('rm', *damaged)} removes it, and the same command then goes on from {whole}"
        )
    if not best_is_whole:
        return (
            f"no checkpoint of this stage is whole: {_typed('rm -r', folder)} removes them, and "
            f"the same command trains it anew"
        )
    renamed = folder / file_name(checkpoint.load(best)["iteration"])
    typed = f"`{_words('rm', *damaged)} && {_words('mv', best, renamed)}`"
    return f"{typed} removes it, and the same command then goes on from the best one, {renamed}"


def _typed(command: str, *files: Path) -> str:
    return f"`{_words(command, *files)}`"


def _words(command: str, *files: Path) -> str:
    return " ".join((command, *(shlex.quote(str(file)) for file in files)))
