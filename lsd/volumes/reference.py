"""Names of arrays in a config: "volumes/raw", or "other.zarr:volumes/raw" for an array of another
container.

Files and arrays may have colons in their names, so what exists decides: an array of the own
container, then the longest part before a colon that is a container, then a part that ends like one
(and is missed by name later).
"""

from __future__ import annotations

import glob
from pathlib import Path

from lsd.spec import Volume
from lsd.spec.user_paths import expanded
from lsd.volumes import containers

DEFAULT_RAW = Volume.model_fields["raw"].default


def locate(path: str | Path, *, root: Path) -> Path:
    """`path` if it is absolute, else below the data root; ~ and $NAME are what they stand for."""
    return expanded(path, root=root)


def check_there(container: Path, *, root: Path) -> None:
    """Raises ValueError if there is no such file or folder; it says what is near, and what sets the
    data root."""
    if not container.exists():
        inside = container.relative_to(root) if container.is_relative_to(root) else container
        if glob.has_magic(str(inside)):
            raise ValueError(
                f"no file matches {str(container)!r}; correct it{way_out(container, root=root)}"
            )
        try:
            containers.format_of(container)
        except ValueError as error:
            raise ValueError(f"{error}{way_out(container, root=root)}") from error


def way_out(path: Path, *, root: Path) -> str:
    """How a message ends that misses a located path: what sets the data root, if it lies there."""
    if not path.is_relative_to(root):
        return ""
    return (
        f"; relative paths start from {root.resolve()} (data_root of the config, else $LSD_DATA, "
        f"else ./data): "
        "set data_root or $LSD_DATA to the folder that holds your files"
    )


def split(reference: str, volume_container: Path, *, root: Path) -> tuple[Path, str]:
    """Container and name of the array that `reference` means in a volume with the container
    `volume_container`."""
    if containers.find_array(volume_container, reference) is not None:
        return volume_container, reference
    cuts = [place for place, letter in enumerate(reference) if letter == ":"]
    pairs = [
        (locate(reference[:cut], root=root), reference[cut + 1 :])
        for cut in cuts
        if reference[:cut].strip()
    ]
    for container, name in reversed(pairs):
        if _is_container(container):
            return container, name
    suffixes = tuple(suffix for form in containers.formats() for suffix in form.suffixes)
    for container, name in pairs:
        if container.name.lower().endswith(suffixes):
            return container, name
    return volume_container, _single(volume_container, reference)


def _is_container(path: Path) -> bool:
    try:
        containers.format_of(path)
    except ValueError:
        return False
    return True


def _single(volume_container: Path, reference: str) -> str:
    """In a file of one array, which has no name, the default name of raw stands for it."""
    is_raw = reference == DEFAULT_RAW
    return "" if is_raw and containers.format_of(volume_container).is_single else reference
