"""Which axis of an array on disk is which, from what its file states and what the config says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lsd.volumes.metadata import SPACE, Statement, axis_names


def disk_axes(
    stated: Statement,
    extent: Sequence[int],
    by_config: Sequence[str] | None,
    say: Callable[[str], None],
) -> tuple[str, ...]:
    """Names of the axes of an array of shape `extent`, in their order on disk; "" for one of extent
    1 that is passed over.

    by_config: names in the order on disk, used before what the file states
    say: told, in words, where the file says something else than the config
    Raises ValueError where axes are not known, or none of a volume.
    """
    if stated.axes and (not by_config or _same_order(stated.axes, by_config)):
        return _checked_axes(stated.axes, extent)
    axes = _named_axes(by_config, extent)
    if stated.axes and axes:
        say(
            f"its axes are {' '.join(stated.axes)} by its file and {' '.join(by_config or ())} by "
            f"the config, which is used"
        )
    return _checked_axes(axes or stated.axes or _usual_axes(tuple(extent)), extent)


def _named_axes(by_config: Sequence[str] | None, extent: Sequence[int]) -> tuple[str, ...] | None:
    """The names that a config gives, for each axis on disk; "" for axes of extent 1 that it passes
    over."""
    named = [axis for axis in by_config or () if axis != "c" or len(by_config or ()) == len(extent)]
    if not named:
        return None
    if len(named) == len(extent) or sum(n > 1 for n in extent) != len(named):
        return axis_names(named, len(extent))
    names = iter(axis_names(named, len(named)) or named)
    return tuple(next(names) if n > 1 else "" for n in extent)


def _same_order(stated: Sequence[str], by_config: Sequence[str]) -> bool:
    """Whether all axes of `by_config` are there in the same order; channels need not be."""
    both = {*stated} & {*by_config}
    return not {*by_config} - {"c"} - both and [a for a in stated if a in both] == [
        a for a in by_config if a in both
    ]


def _usual_axes(extent: tuple[int, ...]) -> tuple[str, ...]:
    if len(extent) in (2, 3):
        return SPACE[-len(extent) :]
    if len(extent) == 4 and 1 in (extent[0], extent[-1]):
        return ("c", *SPACE) if extent[0] == 1 else (*SPACE, "c")
    if len(extent) < 2:
        raise ValueError(
            f"its shape is {extent}; a volume has the axes z y x or y x: name another array"
        )
    raise ValueError(
        f"nothing says what the axes of its shape {extent} are; name them in the config, as in "
        f"axes='czyx' or 'zyxc'"
    )


def _checked_axes(disk: tuple[str, ...], extent: Sequence[int]) -> tuple[str, ...]:
    space = [axis for axis in SPACE if axis in disk]
    stack = (
        " (a stack of sections that was saved as channels or times: say axes='zyx' in the config)"
    )
    if len(disk) != len(extent):
        raise ValueError(
            f"its axes are called {' '.join(disk)}, its shape is {tuple(extent)}; correct the names"
        )
    if "t" in disk and extent[disk.index("t")] != 1:
        times = extent[disk.index("t")]
        hint = stack if "z" not in disk else ""
        raise ValueError(
            f"its axes {' '.join(disk)} have {times} points in time; a volume has one{hint}"
        )
    if space not in (["z", "y", "x"], ["y", "x"]):
        raise ValueError(
            f"its axes are {' '.join(disk)}; a volume has z y x or y x, and c for channels"
        )
    return disk
