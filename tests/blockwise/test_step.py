"""A step on disk and back, and what tells two of them apart."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import pytest
from funlib.geometry import Roi
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import (
    Step,
    container_of,
    differences,
    fingerprint_digest,
    load_step,
    step_folder,
)
from lsd.spec import Spec
from lsd.spec.effect import NoEffect, Wording

ROWS = np.dtype([("u", "<u8"), ("score", "<f4")])

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(max_size=4), values, max_size=4)


class Inner(Spec):
    precision: str = "fp32"
    threads: Annotated[int, NoEffect("for this test")] = 1


class Anything(Job):
    """Anything as inputs, and anything else that has no effect."""

    inputs: dict[str, Any] = {}
    inner: Inner = Inner()
    others: Annotated[dict[str, Any], NoEffect("for this test")] = {}
    checkpoint: Annotated[str, Wording("the checkpoint of {inputs} is another one")] = ""

    def open(self, container, worker):
        return (self, container, worker)


def grid(
    begin=(3, -2, 2**40), shape=(70, 9, 40), compute=(20, 12, 16), context=((1, 0, 2), (5, 3, 0))
):
    return tile(Roi(begin, shape), compute, step=(1, 2, 4), context=context)


def made(folder, **changes):
    step = Step(
        "some step",
        folder / "out.zarr",
        grid(),
        Anything(inputs={"a": [1, "ä"]}),
        ("x", "y/z"),
        ROWS,
    )
    return replace(step, **changes)


@settings(max_examples=30, deadline=None)
@given(
    json_objects,
    json_objects,
    st.lists(st.text("abc/", min_size=1), max_size=3),
    st.sampled_from([None, ROWS]),
)
def test_a_step_comes_back_as_it_was(tmp_path_factory, inputs, others, arrays, rows) -> None:
    job = Anything(inputs=inputs, others=others)
    step = made(tmp_path_factory.mktemp("step"), job=job, arrays=tuple(arrays), rows=rows)
    step.save()
    there = load_step(step.folder, f"{__name__}:Anything")
    assert there.job == job, "arguments of a worker are those that were fingerprinted"
    assert there.open(3) == (job, step.container, 3)
    looked_at = load_step(step.folder)
    for found in (there, looked_at):
        assert found.depends_on() == step.depends_on()
        assert step.differs(found) == []
        for field in ("name", "container", "grid", "arrays", "rows"):
            assert getattr(found, field) == getattr(step, field), field
    assert [there.grid.block(index) for index in range(len(there.grid))] == list(step.grid)
    looked_at.save()
    assert load_step(step.folder, f"{__name__}:Anything").job == job, "also when it is saved again"


def test_its_place(tmp_path) -> None:
    step = made(tmp_path)
    assert (
        step.folder
        == step_folder(step.container, "some step")
        == tmp_path / "out.zarr" / "blocks" / "some step"
    )
    assert container_of(step.folder) == step.container
    step.save()
    assert [path.name for path in step.folder.iterdir()] == ["step.json"]


CHANGES = {
    "begin": (grid(begin=(4, -2, 2**40)), r"roi: \[\[3, -2, \d+\], \[70, 9, 40\]\] there, \[\[4, "),
    "extent": (grid(shape=(71, 9, 40)), r"roi: .*\[71, 9, 40\]\] asked for"),
    "blocks": (grid(compute=(24, 12, 16)), r"blocks: \[20, 9, 16\] there, \[24, 9, 16\] asked for"),
    "context": (grid(context=((1, 0, 2), (5, 3, 1))), r"context: "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_blocks_are_another_step(tmp_path, change) -> None:
    there, asked = made(tmp_path), made(tmp_path, grid=CHANGES[change][0])
    found = differences(there.depends_on(), asked.depends_on())
    assert found
    assert any(re.search(CHANGES[change][1], line) for line in found), found
    assert fingerprint_digest(there.depends_on()) != fingerprint_digest(asked.depends_on())


def test_every_field_counts_but_those_that_say_that_they_do_not(tmp_path) -> None:
    asked = made(tmp_path)
    same = [
        Anything(inputs={"a": [1, "ä"]}, others={"b": 2}),
        asked.job.derive(inner=Inner(threads=7)),
    ]
    for job in same:
        assert asked.differs(made(tmp_path / "elsewhere", job=job)) == []
        assert job != asked.job
    other = asked.job.derive(inner=Inner(precision="bf16"))
    assert asked.differs(made(tmp_path, job=other)) == [
        "inner.precision: bf16 there, fp32 asked for"
    ]
    [line] = asked.differs(made(tmp_path, job=asked.job.derive(version=2)))
    assert line == "another version of this program made it, which computes it otherwise"
    other = asked.job.derive(checkpoint="e3b0c442")
    assert asked.differs(made(tmp_path, job=other)) == [
        "the checkpoint of {'a': [1, 'ä']} is another one"
    ]


def test_a_job_that_gets_another_field_is_another_job() -> None:
    """Nothing names the fields of a fingerprint, so none can be forgotten."""

    class More(Anything):
        contrast: float = 1.0
        colour: Annotated[str, NoEffect("for this test")] = "red"

    assert set(More().fingerprint()) - set(Anything().fingerprint()) == {"contrast"}
    assert set(More().record()) - set(Anything().record()) == {"contrast", "colour"}


def test_what_a_version_before_wrote_is_told_from_what_this_one_writes(tmp_path) -> None:
    step = made(tmp_path)
    step.save()
    content = json.loads((step.folder / "step.json").read_text())
    del content["job"]
    content["arguments"] = {"a": 1}
    content["depends_on"] |= content["depends_on"].pop("inputs")
    (step.folder / "step.json").write_text(json.dumps(content))
    there = load_step(step.folder)
    assert [there.grid.block(index) for index in range(3)] == [
        step.grid.block(index) for index in range(3)
    ]
    assert step.differs(there) == [
        "it is of an earlier version, which did not note all that its results depend on"
    ]


def test_differences_name_the_field() -> None:
    there = {"version": 1, "settings": {"precision": "fp32", "threads": 1}, "gone": 3}
    asked = {
        "version": 1,
        "settings": {"precision": "bf16", "threads": 1},
        "new": None,
        "also": [1],
    }
    assert differences(there, asked) == [
        "also: None there, [1] asked for",
        "gone: 3 there, None asked for",
        "settings.precision: fp32 there, bf16 asked for",
    ]


@settings(max_examples=50, deadline=None)
@given(json_objects, json_objects)
def test_differences_of_equals_only_are_none(one, other) -> None:
    assert differences(one, json.loads(json.dumps(one))) == []
    if not differences(one, other):
        assert _without_none(one) == _without_none(other)
        return
    assert one != other


def _without_none(value):
    return (
        {k: _without_none(v) for k, v in value.items() if v is not None}
        if isinstance(value, dict)
        else value
    )


def test_a_digest_is_of_the_content_not_of_the_order(tmp_path) -> None:
    assert fingerprint_digest({"a": 1, "b": [2, 3]}) == fingerprint_digest({"b": [2, 3], "a": 1})
    assert fingerprint_digest({"a": 1, "b": [2, 3]}) != fingerprint_digest({"a": 1, "b": [3, 2]})
    # the same in every process
    command = (
        "from lsd.blockwise.on_disk.step import fingerprint_digest as digest; "
        "print(digest({'a': 1, 'b': [2, 3]}), end='')"
    )
    found = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert found == fingerprint_digest({"a": 1, "b": [2, 3]})


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"depends_on": {}, "grid": {}}'])
def test_a_description_that_cannot_be_read(tmp_path, content) -> None:
    step = made(tmp_path)
    step.save()
    (step.folder / "step.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"some step/step\.json cannot be read .*; delete .*run the step again"
    ):
        load_step(step.folder)
    with pytest.raises(ValueError, match="cannot be read"):
        load_step(tmp_path)


def test_no_code_comes_from_an_output_folder(tmp_path) -> None:
    step = made(tmp_path)
    step.save()
    assert "Anything" not in (step.folder / "step.json").read_text()
    assert load_step(step.folder).job.function == ""
    with pytest.raises(ValueError, match="can only be looked at"):
        load_step(step.folder).open(0)


def outputs():
    ones, rows = np.ones((2, 3), np.uint8), np.zeros(2, ROWS)
    yield Output()
    yield Output(rows=rows)
    yield Output(rows=np.array([(1, 0), (0, 0)], ROWS))
    yield Output({"x": ones})
    yield Output({"x": ones * 2})
    yield Output({"x": ones, "y": ones})
    yield Output({"x": ones, "y": ones}, rows)


def test_digests_of_outputs() -> None:
    assert len({output.digest() for output in outputs()}) == len(list(outputs()))
    strided = np.arange(24, dtype=np.uint16).reshape(4, 6)[::2, 1::2]
    assert Output({"x": strided}).digest() == Output({"x": strided.copy()}).digest()
    assert (
        Output({"x": strided, "y": strided + 1}).digest()
        == Output({"y": strided + 1, "x": strided}).digest()
    )
    assert 0 <= Output({"x": np.empty((0, 3))}).digest() < 2**64


def test_a_kind_by_its_name_has_its_defaults() -> None:
    """Beside one whose fields are written, of which some differ."""
    written = {"settings": {"kind": "cc", "head": "dist", "threshold": 0.1}}
    assert differences(written, {"settings": "cc"}) == [
        "settings: cc with head=dist, threshold=0.1 there, cc with its defaults asked for"
    ]
    assert differences({"settings": "dd"}, written) == [
        "settings: dd there, cc with head=dist, threshold=0.1 asked for"
    ]
