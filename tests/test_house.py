"""Who may import whom: rooms stand in the order in which data flows, and libraries stay in the
rooms that know them."""

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# in the order in which data flows: a room imports from those before it
ROOMS = (
    "spec", "system", "arrays", "synthetic", "volumes", "targets", "losses", "network", "batches",
    "blockwise", "data", "prediction", "segmentation", "objects", "evaluation", "notebook",
    "report", "training", "sweep", "cli",
)  # fmt: skip
ONLY_IN = {
    "gunpowder": {"batches"},
    "daisy": {"blockwise"},
    "zarr": {"volumes"},
    "h5py": {"volumes"},
    "numcodecs": {"volumes"},
    "tifffile": {"volumes"},
    "PIL": {"volumes"},
    "funlib.persistence": set(),
    "torch": {"targets", "losses", "network", "prediction", "objects", "training"},
    "pyarrow": {"objects"},
    "tensorstore": {"volumes"},
    "neuroglancer": {"report"},
    "networkx": {"report"},
    "zmesh": {"report"},
    "config": set(),
}
# lines of a file
LONGEST = 350
FILES = sorted((ROOT / "lsd").rglob("*.py"))


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "lsd").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path) -> None:
    room = _room(path)
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS, f"{room} is no room of the house; rooms are {ROOMS}"
    for name in _imports(ast.parse(path.read_text())):
        if name.startswith("lsd.") and name != "lsd.__version__":
            other = name.split(".")[1]
            assert ROOMS.index(other) <= ROOMS.index(room), (
                f"{room} imports {name}, which stands later"
            )
        for library, rooms in ONLY_IN.items():
            assert not f"{name}.".startswith(f"{library}.") or room in rooms, (
                f"{room} knows {library}"
            )


def test_targets_import_torch_in_functions_only() -> None:
    for path in (ROOT / "lsd" / "targets").rglob("*.py"):
        top = ast.Module(
            body=[
                n
                for n in ast.parse(path.read_text()).body
                if isinstance(n, (ast.Import, ast.ImportFrom))
            ],
            type_ignores=[],
        )
        assert not any(name.split(".")[0] == "torch" for name in _imports(top)), path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_unfinished(path) -> None:
    text = path.read_text()
    assert "NotImplementedError" not in text
    assert not re.search(r"\bprint\(", text) or "cli" in path.parts


@pytest.mark.parametrize("folder", ["lsd", "config", "tests", "benchmarks"])
def test_no_file_is_too_long_to_be_read_at_once(folder) -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_files_of_tests_have_names_of_their_own() -> None:
    """Their folders are no packages, so that two of one name cannot be collected."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    assert {name for name, count in names.items() if count > 1} <= {"conftest.py"}


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {_module(path): path for path in FILES}
    imports = {
        name: {_known(other, modules) for other in _imports(ast.parse(path.read_text()))}
        for name, path in modules.items()
    }
    order = TopologicalSorter({name: others - {name, None} for name, others in imports.items()})
    # raises CycleError, which names the circle
    assert set(order.static_order()) == set(modules)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _known(name: str, modules: dict[str, Path]) -> str | None:
    """The module that is imported, or that holds the name that is."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
