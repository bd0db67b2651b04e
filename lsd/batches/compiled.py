"""How the array functions of the nodes are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """`function` as machine code, kept on disk between runs; without the interpreter's lock and on
    one thread."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
