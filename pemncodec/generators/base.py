"""Vectors that are kept as their recipe: the interface of generators (spec section 8)."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ..container.manifest.generated import GeneratedRow


class BaseGenerator(ABC):
    """A vector of float32 values, as its recipe; a frozen dataclass.

    Attributes:
        length: number of elements.
    """

    length: int

    @property
    def arranged(self) -> bool:
        """Return whether an element may depend on others: a stretch is then cut from the whole."""
        return True

    @property
    def torch_seed(self) -> int | None:
        """The seed of PyTorch that made the values, if one did."""
        return None

    @property
    def finding(self) -> str | None:
        """The line that a report has about a network that was packed with it, or None."""
        return None

    @abstractmethod
    def values(self) -> NDArray[np.float32]:
        """Return all elements, shape (length,).

        Raises:
            NetworkError: one is not finite.
        """

    @abstractmethod
    def row(self) -> GeneratedRow:
        """Return the row of the manifest that says the recipe."""

    def range(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return elements start … stop − 1."""
        return self.values()[start:stop]

    def digest(self) -> int:
        """Return the CRC-32 of all elements as little-endian float32: what a file stores beside the recipe."""
        return digest(self.values())


def digest(values: NDArray[np.float32], before: int = 0) -> int:
    """Return the CRC-32 of float32 values in little-endian bytes, which follow bytes of the CRC-32 `before`."""
    return zlib.crc32(np.ascontiguousarray(values.astype("<f4", copy=False)).data, before)
