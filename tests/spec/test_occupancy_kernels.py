"""Kernels as values in a config."""

from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

from lsd.spec import (
    NEAREST,
    Affinities,
    Ball,
    Boundary,
    Box,
    Descriptors,
    Foreground,
    Head,
    Kernel,
    Mask,
    MutexWatershed,
    Occupancy,
    OffsetList,
    OfObjects,
)
from lsd.spec.effect import effective
from lsd.targets.target import target_kind

BALL = Ball(radius=30, voxel_size=(40, 4, 4))


@pytest.mark.parametrize("kernel", [Box(size=(3, 7, 7)), BALL, OffsetList(offsets=((0, 0, 1),))])
def test_a_kernel_is_plain_data(kernel) -> None:
    target = Occupancy(mode="foreground", kernel=kernel)
    again = Head.model_validate_json(Head(target=target).model_dump_json()).target
    assert again == target
    assert again.kernel.offsets_in(3) == kernel.offsets_in(3)


def test_a_list_of_offsets_is_a_kernel() -> None:
    assert Occupancy(kernel=NEAREST).kernel == OffsetList(offsets=NEAREST)
    assert Occupancy(kernel=(0, 0, 1)).kernel == OffsetList(offsets=((0, 0, 1),))
    assert Occupancy(kernel="box").kernel == Box()
    assert Occupancy(kernel={"size": (1, 3, 3)}).kernel == Box(size=(1, 3, 3))


def test_offsets_along_z_fall_away_in_2d() -> None:
    listed = OffsetList(offsets=((-1, 0, 0), (0, 0, 0), (1, 0, 2), (0, 0, 2)))
    assert listed.offsets_in(2) == ((0, 0), (0, 2))
    with_middle = Occupancy(mode="foreground", kernel=listed)
    assert target_kind(with_middle).occupancy_offsets(2) == ((0, 0), (0, 2))
    assert target_kind(Occupancy(kernel=listed)).neighborhood(2) == ((0, 2),)


def test_instances_are_affinities_to_all_that_asks() -> None:
    heads = {"lov": Head(target=Occupancy(kernel=Box(size=(1, 3, 3))))}
    assert MutexWatershed().misfit("lov", heads) is None
    assert Occupancy(mode="foreground").affinity_offsets() is None
    assert (0, 0, 0) not in Occupancy().affinity_offsets()
    assert (0, 0, 0) in Occupancy(mode="foreground").offsets_in(3)


def test_what_cannot_be_is_refused_where_it_is_written() -> None:
    for wrong, says in (
        ({"mode": "foreground", "half": True}, 'half a kernel does not do for mode "foreground"'),
        ({"kernel": {"kind": "bal"}}, r"kernel 'bal' is unknown; allowed: box, ball, list"),
        ({"kernel": {"size": (99, 99, 99)}}, "about 970,299 offsets, each of them a channel"),
        ({"kernel": {"kind": "ball", "radius": 30}}, "voxel_size"),
        ({"kernel": ((0, 0, 1), (0, 1))}, r"offset \(0, 1\) of the kernel is not of 2 or 3 whole"),
        ({"kernel": ((0, 0, 1), (0, 0, 1))}, "holds an offset twice"),
    ):
        with pytest.raises(ValidationError, match=says):
            Occupancy(**wrong)


def test_what_a_network_cannot_have_is_a_fault_with_its_field() -> None:
    assert list(Occupancy(kernel=Box(size=(3, 3))).faults(3)) == [
        "kernel: is of 2 axes, the network of 3; give z y x"
    ]
    [fault] = Occupancy(kernel=((1, 0, 0), (-1, 0, 0))).faults(2)
    assert fault.startswith("kernel: has no voxel within 2 axes but the one in its middle")
    assert not list(Occupancy(kernel=((1, 0, 0),)).faults(3))
    assert not list(Occupancy(mode="foreground", kernel=Box(size=(1, 1, 1))).faults(3))


def test_a_ball_among_other_voxels_is_remarked_on() -> None:
    kind = target_kind(Occupancy(kernel=BALL))
    assert kind.remarks((9, 9, 9), (40.0, 4.0, 4.0)) == []
    assert kind.remarks((9, 9), (4.0, 4.0)) == []
    [said] = kind.remarks((9, 9, 9), (30.0, 4.0, 4.0))
    assert said.endswith(
        "those of the volumes are (30.0, 4.0, 4.0) nm, among which it is none; "
        "give it voxel_size=(30.0, 4.0, 4.0)"
    )
    [said] = kind.remarks((9, 9, 9), None)
    assert said.startswith("the kernel is a ball among voxels of (40.0, 4.0, 4.0) nm, and the ")
    assert "volumes have no voxel size; " in said
    assert target_kind(Occupancy(kernel=Box(size=(1, 3, 3)))).remarks((9, 9), None) == []


def test_targets_of_before_are_written_as_before() -> None:
    """An array is written where it is named, and only there."""
    for target in (Affinities(), Boundary(), Descriptors(), Foreground()):
        assert "array" not in target.model_dump()
        named = target.derive(array="mitochondria")
        assert named.model_dump()["array"] == "mitochondria"
        assert target_kind(named).arrays() == (named.objects(),) == ("mitochondria",)
        assert target_kind(target).arrays() == ()
    assert Mask(array="mito").model_dump() == {"kind": "mask", "array": "mito"}


def test_a_kernel_of_ones_own_is_its_offsets() -> None:
    """A spec alone: no class does what it says."""

    class Ray(Kernel):
        kind: Literal["ray"] = "ray"
        length: int = 3

        @property
        def axes(self) -> int:
            return 3

        def offsets_in(self, dims):
            return tuple((*(0,) * (dims - 1), step) for step in range(self.length))

    target = Occupancy.model_validate({"kernel": {"kind": "ray", "length": 4}})
    assert target.kernel == Ray(length=4)
    assert target_kind(target).neighborhood(2) == ((0, 1), (0, 2), (0, 3))
    assert effective(target)["kernel"]["code"]
    assert Occupancy.model_validate_json(target.model_dump_json()) == target


def test_a_target_of_ones_own_may_be_of_an_array() -> None:
    class Bright(OfObjects):
        kind: Literal["bright"] = "bright"
        behaviour: ClassVar[str] = "lsd.targets.foreground:ForegroundTarget"

    assert target_kind(Bright(array="mito")).arrays() == ("mito",)
    assert target_kind(Bright()).arrays() == ()
