"""Files of a person's own code that a module imports, found without importing any of it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lsd.spec.blame import OURS, is_installed


def with_imported(file: Path, module: str) -> list[Path]:
    """The file of a module, and those that it imports and that are a person's own, by theirs in
    turn; not of this package, of Python, or of libraries that are installed.  A package of which
    the module is one is its own, wherever it lies.

    The order is that of the imports, so it is the same in each process.
    """
    own = module.partition(".")[0]
    found, left = {file: module}, [file]
    while left:
        current = left.pop(0)
        for name in _imports(current, found[current]):
            for path, of in _files(name, own=own):
                if path not in found:
                    found[path] = of
                    left.append(path)
    return list(found)


def _imports(file: Path, module: str) -> Iterator[str]:
    """Names of what a file imports, wherever in it; of `from a import b` also a.b, which may be a
    module."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # whoever imports it is told
        return
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".") if node.level else []
            above = above[: len(above) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])])
            if base:
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _files(name: str, *, own: str) -> Iterator[tuple[Path, str]]:
    """Files of a module and of the packages that it is in, with their names; none of what is no
    person's own."""
    top, *parts = name.split(".")
    file = None if top == OURS else _top(top)
    if file is None or (top != own and is_installed(str(file))):
        return
    if file.is_file():
        yield file, top
    folder = file.parent if file.name == "__init__.py" else None
    for number, part in enumerate(parts, start=1):
        if folder is None:
            return
        inside = ".".join([top, *parts[:number]])
        if (alone := folder / f"{part}.py").is_file():
            yield alone, inside
            return
        folder = folder / part
        if (first := folder / "__init__.py").is_file():
            yield first, inside


@cache
def _top(name: str) -> Path | None:
    """The file of a module that is in no package, __init__.py of a package, whether it has one or
    not; None of what is not there, or no file of Python."""
    try:
        module_spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if module_spec is None:
        return None
    if folders := module_spec.submodule_search_locations:
        return Path(next(iter(folders)), "__init__.py")
    origin = module_spec.origin or ""
    return Path(origin) if origin.endswith(".py") else None
