"""Modules of kinds of one's own: edits are part of what a result depends on."""

import importlib
import json
import sys
import textwrap
from typing import ClassVar, Literal

import pytest

from config.config import config
from lsd.blockwise.on_disk.step import differences
from lsd.spec import Affinities, Config, Head, Target
from lsd.spec import code as codes
from lsd.spec.code import code_digest, code_digests, is_outside
from lsd.spec.effect import effective, wordings, written_out
from lsd.spec.imported_files import with_imported

MODULE = """
    from typing import ClassVar, Literal
    from lsd.spec import Target
    class Edited{n}(Target):
        kind: Literal["edited{n}"] = "edited{n}"
        behaviour: ClassVar[str] = "{name}:Behaviour"
    class Behaviour:
        def __init__(self, spec):
            self.spec = spec
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A module of one's own, and a function that writes it anew."""
    name = f"edited_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(tmp_path)
    text = textwrap.dedent(MODULE.format(n=name, name=name))
    (tmp_path / f"{name}.py").write_text(text)
    made = importlib.import_module(name)
    yield getattr(made, f"Edited{name}"), made, tmp_path / f"{name}.py"
    sys.modules.pop(name)


def test_an_edit_is_part_of_what_a_result_depends_on(module) -> None:
    kind, _, file = module
    before = effective(Head(target=kind()))
    assert before["target"]["code"] == code_digest(kind())
    assert code_digests(Head(target=kind())) == {kind.__module__: code_digest(kind())}
    file.write_text(file.read_text() + "# a word\n")
    # as the next process sees it
    codes.module_digest.cache_clear()
    after = effective(Head(target=kind()))
    assert {name: a for name, a in after["target"].items() if a != before["target"][name]} == {
        "code": code_digest(kind())
    }
    words = f"module {kind.__module__}, or one that it imports, was edited"
    assert wordings(Head(target=kind()))["target.code"] == words


def test_kinds_of_this_package_have_a_version_instead() -> None:
    assert not is_outside(Affinities())
    assert "code" not in effective(Affinities())
    assert not code_digests(Head(target=Affinities()))


def test_the_module_of_the_class_counts_before_it_is_imported(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_behaviour.py").write_text("class Late:\n    pass\n")

    class Late(Target):
        kind: Literal["late"] = "late"
        behaviour: ClassVar[str] = "late_behaviour:Late"

    before = code_digests(Head(target=Late()))
    assert before.keys() == {__name__, "late_behaviour"}
    assert all(before.values())
    codes.module_digest.cache_clear()
    importlib.import_module("late_behaviour")
    assert code_digests(Head(target=Late())) == before


def test_an_edit_of_what_a_module_imports_counts(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    files = {
        "a_lab/__init__.py": "",
        "a_lab/kinds/__init__.py": "",
        # imports itself in a circle, and what is not there
        "a_lab/kinds/one.py": "import torch.nn\nfrom . import base\nimport a_lab_tools, not_there",
        "a_lab/kinds/base.py": "from ..deep import *\nfrom a_lab.kinds.one import x",
        "a_lab/deep.py": "def late():\n    from a_lab import name",
        "a_lab_tools.py": "import numpy, lsd.spec",
        "a_lab/other.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    module = "a_lab.kinds.one"
    counted = {tmp_path / name for name in files} - {tmp_path / "a_lab/other.py"}
    found = with_imported(tmp_path / "a_lab/kinds/one.py", module)
    assert sorted(found) == sorted(counted)
    before = codes.module_digest(module)
    for name in files:
        path = tmp_path / name
        path.write_text(f"{path.read_text()}\n# a word\n")
        codes.module_digest.cache_clear()
        assert (codes.module_digest(module) != before) == (path in counted), name
        before = codes.module_digest(module)


def test_what_is_not_written_differs_in_what_was_set_alone() -> None:
    other = config.derive(locate={"min_size": 5}, error_map={"suspects": 3})
    first, second = (
        written_out(json.loads(made.model_dump_json()), Config) for made in (config, other)
    )
    assert differences(first, second) == [
        "error_map.suspects: 100 there, 3 asked for",
        "locate.min_size: 0 there, 5 asked for",
    ]
    assert second["predict"]["volumes"] == ["validate", "test"]
