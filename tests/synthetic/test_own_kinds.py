"""Kinds of synthetic volumes that are not of this package: edited between two runs, or wrong."""

import importlib

import numpy as np
import pytest

from lsd.spec import Synthetic
from lsd.spec.code import module_digest
from lsd.synthetic import Part, synthesize
from lsd.synthetic.synthesize import _whole
from lsd.volumes.generated import generate, path

SHAPE = (16, 16, 16)
MODULE = """
from typing import ClassVar, Literal
import numpy as np
from lsd.spec import Synthetic
from lsd.synthetic import Generator, Part

class Bubbles(Synthetic):
    kind: Literal["bubbles"] = "bubbles"
    behaviour: ClassVar[str] = "own_bubbles:BubbleGenerator"

class BubbleGenerator(Generator):
    def parts(self):
        yield Part((0, 0, 0), {"volumes/raw": np.full(self.spec.shape, 1, np.uint8)})
"""


def test_an_edited_kind_is_made_once_more(tmp_path, monkeypatch) -> None:
    file = tmp_path / "own_bubbles.py"
    file.write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    spec = importlib.import_module("own_bubbles").Bubbles(shape=SHAPE)
    first = generate(spec, tmp_path)
    assert generate(spec, tmp_path) == first
    # as another process finds it
    file.write_text(MODULE.replace(", 1,", ", 2,"))
    module_digest.cache_clear()
    assert path(spec, tmp_path) != first
    assert path(Synthetic(), tmp_path).name == (
        "synthetic_isotropic_128x128x128_10x10x10nm_seed0_d5e05926.zarr"
    )


def part(begin, shape=(8, 16, 16), dtype=np.uint8, names=("raw",)):
    return Part(begin, {name: np.zeros(shape, dtype) for name in names})


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part((0, 0, 0))], "have 2048 voxels, and the volume .* has 4096; give each voxel once"),
        ([part((0, 0, 0)), part((12, 0, 0))], r"at \(12, 0, 0\), has raw: \(8, 16, 16\)"),
        (
            [part((0, 0, 0)), part((8, 0, 0), dtype=np.int64)],
            "has raw: int64, the first raw: uint8",
        ),
        ([part((0, 0, 0)), part((8, 0, 0), names=("labels",))], "has labels: uint8, the first raw"),
        ([part((0, 0, 0), names=())], "has no array"),
        ([part((0, 0), shape=(16, 16))], r"has raw: \(16, 16\), of \(16, 16, 16\)"),
    ],
)
def test_parts_that_are_not_the_volume_are_refused(parts, words) -> None:
    with pytest.raises(ValueError, match=words):
        list(_whole(Synthetic(shape=SHAPE), iter(parts)))


def test_the_parts_of_our_kinds_are_the_volume() -> None:
    made = synthesize(Synthetic(kind="somata", shape=(16, 70, 16)))
    assert {data.shape for data in made.values()} == {(16, 70, 16)}
