"""Who may import whom: rooms stand in the order in which data flows, and libraries stay in the
rooms that know them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# in the order in which data flows: a room imports from those before it
ROOMS = (
    "spec", "system", "arrays", "synthetic", "volumes", "targets", "losses", "network", "batches",
    "blockwise", "prediction", "segmentation", "evaluation", "notebook", "report", "training",
    "cli",
)  # fmt: skip
ONLY_IN = {
    "gunpowder": {"batches"},
    "daisy": {"blockwise"},
    "zarr": {"volumes"},
    "h5py": {"volumes"},
    "numcodecs": {"volumes"},
    "tifffile": {"volumes"},
    "funlib.persistence": set(),
    "torch": {"targets", "losses", "network", "prediction", "training"},
    "config": set(),
}
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
