"""Layers that the search for prototypes is given, and vectors that it finds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import DType
from ...common.words import Words
from ...network.mask import Mask


@dataclass(frozen=True)
class Weight:
    """A layer before masking, its mask, and which of its values are known (None: all)."""

    dtype: DType
    values: Words
    mask: Mask
    known: Mask | None = None

    @property
    def partly_known(self) -> bool:
        """Return whether there is a value that is not known."""
        return self.known is not None and self.known.count < self.known.length


@dataclass
class Vector:
    """A vector that fills one or more layers.

    Attributes:
        values: one period, as words; all-zero bits where not known.
        members: indices of the layers.
        scales: the float32 factor of each, or None.
        known: the elements that are known, or None for all.
        presence: the elements that some layer keeps, where only these are worth storing.
        shared: True: store it as a prototype. False: store the kept values of each layer instead.
    """

    dtype: DType
    values: Words
    members: list[int] = field(default_factory=list)
    scales: list[float | None] = field(default_factory=list)
    known: NDArray[np.bool_] | None = None
    presence: NDArray[np.bool_] | None = None
    shared: bool = True
