"""What a config file finds beside it: its own folder is searched for modules while it runs, and
only then."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from lsd.spec.kinds import imported

OURS = __name__.partition(".")[0]


class SiblingFinder(MetaPathFinder):
    """Finds modules in the folder of a config file before those of the same name elsewhere.

    A file of the folder does not hide a package of the same name: `config.datasets` is found from a
    folder with a config.py.  Modules found here are as private to the run of the file as its own
    names: another config may have others so called.  But a folder with modules that define kinds
    is searched ever after, by every process of the run, so what it holds is no longer private.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [str(folder) for folder in folders]
        # of each module that was found
        self._folders_of: dict[str, str] = {}
        self._loaded_before = set(sys.modules)

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of the folder, None where it has none of that name."""
        module = self.find(fullname) if path is None else None
        if module is not None and module.origin is not None:
            up = 1 if module.submodule_search_locations is None else 2
            self._folders_of[fullname] = str(Path(module.origin).resolve().parents[up - 1])
        return module

    def find(self, name: str) -> ModuleSpec | None:
        """As find_spec, without a trace."""
        if name == OURS or name in sys.stdlib_module_names:
            return None
        module = PathFinder.find_spec(name, self.folders)
        if module is None or module.origin is None:
            return None
        elsewhere = None if module.submodule_search_locations else PathFinder.find_spec(name)
        return (
            None
            if elsewhere and elsewhere.submodule_search_locations and elsewhere.origin
            else module
        )

    def private(self) -> list[str]:
        """Names of loaded modules that were found here, with those inside of them; not of a folder
        with modules that define kinds, which others import by their names."""
        public = set(imported().values())
        private = {name for name, folder in self._folders_of.items() if folder not in public}
        return [name for name in sys.modules if name.partition(".")[0] in private]

    def forget(self) -> None:
        """Has all that was imported meanwhile imported anew next time, unless it is installed: it
        may hold what is wrong."""
        installed = tuple(f"{folder}/" for folder in sysconfig.get_paths().values())
        for name in set(sys.modules) - self._loaded_before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if (
                # some modules are made up, and name no file that is there
                Path(file).is_absolute()
                and file.endswith(".py")
                and not file.startswith(installed)
                and name.partition(".")[0] != OURS
            ):
                _drop(name)


@contextmanager
def siblings_importable(path: Path) -> Iterator[SiblingFinder]:
    """Inside, what lies in the folder of the file can be imported; if that is a package, its whole
    by its name as well."""
    finder = SiblingFinder(_folders(path.resolve().parent))
    hidden_names = {
        top for top in {name.partition(".")[0] for name in sys.modules} if _is_hidden(finder, top)
    }
    hidden = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.partition(".")[0] in hidden_names
    }
    sys.meta_path.insert(0, finder)
    try:
        yield finder
    finally:
        sys.meta_path.remove(finder)
        for name in finder.private():
            _drop(name)
        sys.modules.update(hidden)


def _folders(folder: Path) -> list[Path]:
    root = folder
    while (root / "__init__.py").is_file():
        root = root.parent
    return [root, folder] if root != folder else [folder]


def _is_hidden(finder: SiblingFinder, name: str) -> bool:
    """Whether a module that is loaded has the name of one in the folder, but is not that."""
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is None or name == "__main__":
        return False
    module = finder.find(name)
    return (
        module is not None
        and module.origin is not None
        and Path(module.origin).resolve() != Path(loaded).resolve()
    )


def _drop(name: str) -> None:
    module = sys.modules.pop(name, None)
    package, _, last = name.rpartition(".")
    if getattr(sys.modules.get(package), last, None) is module and module is not None:
        delattr(sys.modules[package], last)
