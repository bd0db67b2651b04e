"""One pass through a network on paper: what each operation multiplies, stores and keeps alive."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from lsd.spec.base import Shape

# outputs of a transposed convolution that are alive at once unless it is in channels_last: its own,
# and copies on the way to it
COPIES = 2.5


class Walk:
    """One pass on paper; its methods are the operations of a network, in the order of its forward.

    channels, shape: of the array that flows
    held:       values that are kept for later, such as skips
    copies:     see COPIES
    macs, parameters: so far; peak: most values alive at once.  Activations work in place.
    """

    def __init__(self, channels: int, shape: Sequence[int], *, copies: float = COPIES) -> None:
        self.channels, self.shape, self.copies = channels, tuple(shape), copies
        self.held = self.macs = self.parameters = self.peak = 0

    @property
    def values(self) -> int:
        """How many values the current array has."""
        return self.channels * prod(self.shape)

    def convolve(
        self, channels: int, kernel: Shape, *, padded: bool = False, norm: bool = False
    ) -> None:
        """A convolution with bias, and group norm where asked; padded: it keeps the extent."""
        read, before = self.channels, self.values
        if not padded:
            self.shape = tuple(n - k + 1 for n, k in zip(self.shape, kernel, strict=True))
        self.channels = channels
        self.macs += read * prod(kernel) * self.values
        self.parameters += (read * prod(kernel) + 1 + 2 * norm) * channels
        self.keep_alive(max(before, self.values * norm) + self.values)

    def fold(self, fold: Sequence[int]) -> None:
        """Turns the voxels of each box of `fold` into channels."""
        self.channels *= prod(fold)
        self.shape = tuple(n // f for n, f in zip(self.shape, fold, strict=True))

    def pool(self, factor: Shape) -> None:
        """Maximum over factor; the array before stays alive as a skip."""
        self.held += self.values
        self.shape = tuple(n // f for n, f in zip(self.shape, factor, strict=True))
        # torch keeps the index of every maximum, too, in 8 bytes: up to 4 values of 2 bytes
        self.keep_alive(5 * self.values)

    def upsample(self, channels: int, factor: Shape, *, nearest: bool) -> None:
        """Transposed convolution of kernel and stride `factor`, or a 1x1x1 convolution repeated
        `factor` times."""
        before, taps = self.values, 1 if nearest else prod(factor)
        self.macs += taps * channels * before
        self.parameters += (self.channels * taps + 1) * channels
        self.shape = tuple(n * f for n, f in zip(self.shape, factor, strict=True))
        self.channels = channels
        self.keep_alive(before + (self.values if nearest else round(self.copies * self.values)))

    def join(self, skip: Walk) -> None:
        """Concatenates the crop of a skip, and lets it go."""
        before = self.values
        self.channels += skip.channels
        self.keep_alive(before + self.values)
        self.held -= skip.values

    def copy(self) -> Walk:
        """A copy of the current array, for a skip connection."""
        return Walk(self.channels, self.shape, copies=self.copies)

    def keep_alive(self, values: int) -> None:
        """So many values are alive at once, beside those that are held."""
        self.peak = max(self.peak, self.held + values)
