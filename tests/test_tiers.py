"""What `make test` leaves out for `make test-all` is marked, and nothing is left out of both."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiers import LONG, too_long

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "tests").rglob("*.py"))


def reaching(tree: ast.Module, word: str) -> set[str]:
    """Names of a module whose value, body or arguments lead, over however many others, to a string
    that is `word`."""
    parts = {name: node for node in tree.body for name in _defined(node)}
    found = {name for name, node in parts.items() if word in _strings(node)}
    while more := {name for name, node in parts.items() if found & _used(node)} - found:
        found |= more
    return found


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        return [
            part.id
            for target in node.targets
            for part in ast.walk(target)
            if isinstance(part, ast.Name)
        ]
    return [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []


def _strings(node: ast.AST) -> set[object]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}


def _used(node: ast.AST) -> set[str]:
    """Names that are read, and arguments, which may be fixtures."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}


def marks(nodes: list[ast.expr]) -> set[str]:
    return {
        part.attr for node in nodes for part in ast.walk(node) if isinstance(part, ast.Attribute)
    }


def unmarked(source: str, word: str) -> set[str]:
    """Tests that lead to `word` and are not marked as long, by themselves or with all of their
    module."""
    tree = ast.parse(source)
    wanted = reaching(tree, word)
    of_all = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and "pytestmark" in _defined(node)
    ]
    tests = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    return {
        test.name
        for test in tests
        if test.name in wanted and not marks([*of_all, *test.decorator_list]) & set(LONG)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_whoever_reads_real_volumes_is_marked(path) -> None:
    """Real volumes lie in shared/ beside the checkout; a test that leads there has
    @pytest.mark.faults."""
    if path != Path(__file__):
        assert unmarked(path.read_text(), "shared") == set()


def test_it_is_noticed_over_fixtures_helpers_and_constants() -> None:
    source = """
DATA = Path() / "shared" / "data"
CASES = [DATA / "a", 1]
def helper(): return CASES
@pytest.fixture
def volume(): return helper()
def test_fixture(volume): pass
def test_helper(): helper()
def test_other(other): pass
@pytest.mark.faults
def test_marked(volume): pass
@pytest.mark.parametrize("case", CASES)
def test_case(case): pass
"""
    assert unmarked(source, "shared") == {"test_fixture", "test_helper", "test_case"}
    assert unmarked(f"pytestmark = pytest.mark.faults\n{source}", "shared") == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "faults").glob("test_*.py")), ids=lambda path: path.name
)
def test_whatever_kills_the_scripts_is_marked(path) -> None:
    tree = ast.parse(path.read_text())
    assert [marks([node.value]) for node in tree.body if _defined(node) == ["pytestmark"]] == [
        {"mark", "faults"}
    ]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_test_leaves_out_what_is_marked_and_make_test_all_nothing() -> None:
    ran = {}
    for target, checks in (("test", 3), ("test-all", 4)):
        said = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        ran[target] = [line for line in said.splitlines() if "-m pytest" in line]
        assert sum("ruff" in line or "mypy" in line for line in said.splitlines()) == checks
    [short], [whole] = ran["test"], ran["test-all"]
    left_out = re.search(' -m "(.*)"$', short)[1]
    assert left_out.split(" and ") == [f"not {name}" for name in LONG]
    assert whole == short.removesuffix(f' -m "{left_out}"')


def test_markers_are_those_that_are_known(tmp_path) -> None:
    def run(mark: str) -> int:
        (tmp_path / "test_it.py").write_text(
            f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pass\n"
        )
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(ROOT / "pyproject.toml"),
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert [run(mark) for mark in (*LONG, "flaults")] == [0, 0, 2]


def test_what_takes_long_and_is_not_marked_is_named_the_longest_first() -> None:
    def report(name: str, seconds: float, *, long: bool = False) -> SimpleNamespace:
        return SimpleNamespace(
            nodeid=name, user_properties=[("long", long), ("processor seconds", seconds)]
        )

    reports = [report("a", 4.9), report("b", 5.1), report("c", 99, long=True), report("d", 30)]
    assert too_long(iter(reports)) == [("d", 30), ("b", 5.1)]


@pytest.mark.parametrize("status", [0, 2])
def test_ci_runs_all_tests_from_anywhere_and_fails_where_they_do(tmp_path, status) -> None:
    clone = tmp_path / "a clone" / ".ci"
    clone.mkdir(parents=True)
    shutil.copy2(ROOT / ".ci" / "run", clone / "run")
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$PWD: $*"\necho "5 passed in 1s"\nexit {status}\n')
    make.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(clone / "run")],
        cwd="/",
        env={"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert done.stdout.splitlines() == [f"{clone.parent}: test-all", "5 passed in 1s"]
