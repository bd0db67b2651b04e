"""Gradients of tasks as one, against the definitions in plain Python, and values known by hand."""

import math
import random

import numpy as np
import pytest
import torch

from lsd.losses.weighting import combine

KINDS = ("fixed", "pcgrad", "project_auxiliary", "cosine_gate")


def dot(one, other) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def without(gradient, other) -> list[float]:
    """What is left of a gradient without what points against another."""
    product = dot(gradient, other)
    if product >= 0:
        return list(gradient)
    return [a - product / dot(other, other) * b for a, b in zip(gradient, other, strict=True)]


def total(gradients) -> list[float]:
    return [math.fsum(parts) for parts in zip(*gradients, strict=True)]


def by_definition(gradients, kind, target, orders) -> list[float]:
    if kind == "fixed":
        return total(gradients)
    if kind == "pcgrad":
        changed = []
        for own, order in zip(gradients, orders, strict=True):
            left = list(own)
            for other in order:
                left = without(left, gradients[other])
            changed.append(left)
        return total(changed)
    goal = gradients[target]
    auxiliary = [own for task, own in enumerate(gradients) if task != target]
    if kind == "project_auxiliary":
        return total([goal, *(without(own, goal) for own in auxiliary)])
    lengths = [math.sqrt(dot(own, own) * dot(goal, goal)) for own in auxiliary]
    gates = [
        max(0, dot(own, goal) / length) if length else 0
        for own, length in zip(auxiliary, lengths, strict=True)
    ]
    gated = [[gate * value for value in own] for gate, own in zip(gates, auxiliary, strict=True)]
    return total([goal, *gated])


def orders_of(tasks: int, seed: int) -> list[list[int]]:
    shuffled = random.Random(seed)
    orders = [[other for other in range(tasks) if other != task] for task in range(tasks)]
    for order in orders:
        shuffled.shuffle(order)
    return orders


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
def test_it_is_as_defined(kind, tasks) -> None:
    rng = np.random.default_rng(tasks)
    for trial in range(20):
        gradients = rng.normal(size=(tasks, 7))
        target, orders = trial % tasks, orders_of(tasks, trial)
        expected = by_definition(gradients.tolist(), kind, target, orders)
        result = combine(gradients, kind=kind, target=target, orders=orders)
        assert result.shape == (7,)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


def test_the_order_matters_and_is_drawn_where_none_is_given() -> None:
    gradients = np.random.default_rng(3).normal(size=(4, 5))
    fixed = {
        tuple(combine(gradients, kind="pcgrad", orders=orders_of(4, seed)).round(9))
        for seed in range(30)
    }
    drawn = {tuple(combine(gradients, kind="pcgrad").round(9)) for _ in range(60)}
    assert len(fixed) > 1
    assert len(drawn) > 1


def test_values_known_by_hand() -> None:
    opposed = np.array([[1.0, 0.0], [-1.0, 1.0]])
    # the first loses its half along (-1, 1), the second all along (1, 0)
    np.testing.assert_allclose(combine(opposed, kind="pcgrad"), [0.5, 0.5 + 1.0])
    np.testing.assert_allclose(combine(opposed, kind="project_auxiliary"), [1, 1])
    np.testing.assert_allclose(combine(opposed, kind="project_auxiliary", target=1), [-0.5, 1.5])
    np.testing.assert_allclose(combine(opposed, kind="cosine_gate"), [1, 0])
    agreeing = np.array([[1.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(combine(agreeing, kind="cosine_gate"), [1 + 0.6 * 3, 0.6 * 4])
    for kind in ("pcgrad", "project_auxiliary", "fixed"):
        np.testing.assert_allclose(combine(agreeing, kind=kind), [4, 4], err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_without_gradient_changes_nothing(kind) -> None:
    gradients = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(combine(gradients, kind=kind), gradients[0])
    if kind != "cosine_gate":
        np.testing.assert_array_equal(combine(gradients, kind=kind, target=1), gradients[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_comes_in_comes_out(kind, dtype) -> None:
    """Arrays give arrays, tensors give tensors, both stay as they are, and long ones lose no
    digits."""
    array = np.random.default_rng(0).normal(size=(3, 100_000)).astype(dtype)
    orders = orders_of(3, 0)
    array.flags.writeable = False
    tensor = torch.tensor(array, requires_grad=True)
    result = combine(array, kind=kind, orders=orders)
    same = combine(tensor, kind=kind, orders=orders)
    assert isinstance(result, np.ndarray)
    assert result.dtype == dtype
    assert not same.requires_grad
    np.testing.assert_array_equal(same.numpy(), result)
    exact = combine(array.astype(np.float64), kind=kind, orders=orders)
    np.testing.assert_allclose(result, exact, rtol=1e-6, atol=1e-6)
    whole = combine([[1, 0], [-1, 1]], kind="pcgrad")
    np.testing.assert_allclose(whole, [0.5, 1.5])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("task", [0, 1, 2])
def test_what_is_not_finite_is_seen(kind, bad, task) -> None:
    """So that a step whose gradient overflowed in fp16 can be left out."""
    gradients = np.random.default_rng(1).normal(size=(3, 6))
    gradients[task, 2] = bad
    assert not np.isfinite(combine(gradients, kind=kind, orders=orders_of(3, 1))).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "pcgra"}, "weighting 'pcgra' is unknown; allowed: fixed, uncertainty, pcgrad"),
        ({"kind": "pcgard"}, "did you mean 'pcgrad'"),
        ({"kind": "uncertainty"}, "'uncertainty' weighs losses, so gradients alone do not say"),
        ({"kind": "cosine_gate", "target": 2}, r"one of the tasks 0\.\.1, got 2"),
        ({"kind": "pcgrad", "orders": [[1], [1]]}, r"that of task 1 names each of \[0\] once"),
        ({"kind": "pcgrad", "orders": [[1]]}, "give one a task, of which there are 2, got 1"),
    ],
)
def test_mistakes_are_told(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        combine(np.eye(2), **fields)


def test_a_shape_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match=r"\(tasks, parameters\), got \(3,\)"):
        combine(np.ones(3), kind="pcgrad")


@pytest.mark.parametrize("several", [list, tuple])
def test_several_tensors_are_as_one(several) -> None:
    rows = torch.tensor([[1.0, 2.0], [-3.0, 1.0]])
    found = combine(several(rows), kind="pcgrad", orders=[[1], [0]])
    assert isinstance(found, torch.Tensor)
    assert torch.equal(found, combine(rows, kind="pcgrad", orders=[[1], [0]]))
    with pytest.raises(ValueError, match=r"of one shape, dtype and device, got \(2,\) .*\(1,\)"):
        combine(several([rows[0], rows[1, :1]]), kind="pcgrad")


def test_gradients_of_another_byte_order() -> None:
    gradients = np.array([[1.0, 2.0], [3.0, -1.0]], ">f8")
    assert combine(gradients, kind="fixed").tolist() == [4.0, 1.0]
