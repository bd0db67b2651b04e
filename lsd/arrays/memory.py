"""Arrays that were read lately, kept up to so many bytes of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

# bytes a process: a volume of 250^3 with uint64 labels and a mask, whole
MEMORY = 256 << 20


class Memory:
    """The arrays that were read last, up to `size` bytes of them.  Not for several threads at
    once."""

    def __init__(self, size: int = MEMORY) -> None:
        self.size, self._used = size, 0
        self._kept: OrderedDict[object, NDArray[Any]] = OrderedDict()

    def get(self, key: object, read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What is kept under `key`, else what read() gives; not to be changed."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        data = self._kept[key] = read()
        self._used += data.nbytes
        while self._used > self.size:
            self._used -= self._kept.popitem(last=False)[1].nbytes
        return data
