"""Curves and pictures of a stage in training, for tensorboard."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lsd.training.pictures import Picture

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Writes curves and pictures of one stage, as events in `folder`.

    iterations_done: what a killed run wrote of later iterations is no longer shown
    """

    def __init__(self, folder: Path, *, iterations_done: int) -> None:
        self._writer = _writer(folder, iterations_done + 1)

    def curves(self, values: Mapping[str, float], *, iteration: int) -> None:
        """One point on each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)

    def pictures(self, pictures: Mapping[str, Picture], *, iteration: int) -> None:
        """Pictures (3, y, x) in [0, 1]."""
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, iteration)
        self._writer.flush()

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()


def _writer(folder: Path, start: int) -> SummaryWriter:
    with warnings.catch_warnings():
        # tensorboard asks numpy for names that numpy has deprecated
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(folder), purge_step=start)
