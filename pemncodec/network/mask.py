"""`Mask`: the binary mask of a layer as an object with set operations (bitarray)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from bitarray import bitarray
from bitarray.util import count_xor
from numpy.typing import NDArray

from ..common import bits
from ..common.bits import Packed
from ..errors import NetworkError
from .counting import BitCounter


class Mask:
    """A binary mask over the elements of a layer, in row-major order.

    Attributes:
        packed: the bits in bytes, uint8; bit i is bit i mod 8 of byte i div 8, padding zero.
        length: number of bits.
    """

    __slots__ = ("_ones", "length", "packed")

    def __init__(self, packed: Packed, length: int) -> None:
        if len(packed) != bits.byte_length(length) or not bits.padding_is_zero(packed, length):
            raise NetworkError(f"{length} bits do not fit {len(packed)} bytes with zero padding")
        self.packed = packed
        self.length = length
        self._ones: int | None = None

    @classmethod
    def from_bool(cls, flags: NDArray[np.bool_]) -> Mask:
        """From a boolean array of any shape."""
        array = np.asarray(flags, dtype=np.bool_)
        return cls(bits.pack(array), array.size)

    @classmethod
    def from_bitarray(cls, value: bitarray) -> Mask:
        """From a bitarray of either endianness."""
        little = value if value.endian == "little" else bitarray(value, endian="little")
        return cls(np.frombuffer(little.tobytes(), dtype=np.uint8), len(value))

    def to_bool(self) -> NDArray[np.bool_]:
        """Boolean array, shape (length,)."""
        return bits.unpack(self.packed, self.length)

    def to_bitarray(self) -> bitarray:
        """A little-endian bitarray, for set operations."""
        value = bitarray(endian="little")
        value.frombytes(self.packed.tobytes())
        del value[self.length :]
        return value

    @staticmethod
    def counts(masks: Iterable[Mask]) -> NDArray[np.int64]:
        """Number of masks that are one at each position: the sum over clients that a server takes.

        The masks are counted in bits, one after the other: an iterator of a thousand clients needs the memory of one
        mask and ten planes of counters, until the result is made.

        Args:
            masks: at least one, all of one length.

        Returns:
            int64, shape (length,).

        Raises:
            NetworkError: there is no mask, or their lengths differ.
        """
        return Mask._counted(masks).counts()

    @staticmethod
    def mean(masks: Iterable[Mask]) -> NDArray[np.float64]:
        """Fraction of some masks that is one at each position: the estimate of a Bernoulli probability.

        Arguments and errors as `counts`; float64 in [0, 1], shape (length,).
        """
        counter = Mask._counted(masks)
        return counter.counts() / counter.added

    @staticmethod
    def majority(masks: Iterable[Mask], *, ties: bool = False) -> Mask:
        """Mask of the positions at which more than half of some masks are one.

        Args:
            masks: as for `counts`.
            ties: the bit where exactly half of them are one.

        Raises:
            NetworkError: as `counts`.
        """
        counter = Mask._counted(masks)
        twice = 2 * counter.counts()
        return Mask.from_bool(twice >= counter.added if ties else twice > counter.added)

    @classmethod
    def sample(cls, probabilities: NDArray[np.floating], rng: np.random.Generator) -> Mask:
        """Draw a mask, each bit by itself: one with its probability.

        Args:
            probabilities: of one bits, floats in [0, 1], of any shape; row-major. 0 is never one, and 1 always.
            rng: numpy's generator. The same state of it, probabilities and numpy give the same mask; float32
                probabilities use float32 draws, all others float64.

        Raises:
            NetworkError: a probability is NaN or outside of [0, 1].
        """
        given = np.asarray(probabilities).reshape(-1)
        if not bool(((given >= 0) & (given <= 1)).all()):
            raise NetworkError("a probability of a mask is NaN or outside of [0, 1]: clip them first")
        if given.dtype == np.float32:
            return cls.from_bool(rng.random(len(given), dtype=np.float32) < given)
        return cls.from_bool(rng.random(len(given)) < given.astype(np.float64, copy=False))

    @staticmethod
    def _counted(masks: Iterable[Mask]) -> BitCounter:
        counter: BitCounter | None = None
        for mask in masks:
            if counter is None:
                counter = BitCounter(mask.length)
            elif mask.length != counter.length:
                raise NetworkError(f"masks of {counter.length} and {mask.length} bits cannot be combined")
            counter.add(mask.packed)
        if counter is None:
            raise NetworkError("there is no mask to count: give at least one")
        return counter

    @property
    def count(self) -> int:
        """Number of ones."""
        if self._ones is None:
            self._ones = bits.count_ones(self.packed)
        return self._ones

    @property
    def density(self) -> float:
        """Fraction of ones; 0 for an empty mask."""
        return self.count / self.length if self.length else 0.0

    def distance(self, other: Mask) -> int:
        """Hamming distance: number of bits that differ."""
        self._same_length(other)
        return count_xor(self.to_bitarray(), other.to_bitarray())

    def __and__(self, other: Mask) -> Mask:
        self._same_length(other)
        return Mask.from_bitarray(self.to_bitarray() & other.to_bitarray())

    def __or__(self, other: Mask) -> Mask:
        self._same_length(other)
        return Mask.from_bitarray(self.to_bitarray() | other.to_bitarray())

    def __xor__(self, other: Mask) -> Mask:
        """Positions that differ; a mask xor such a delta is the other mask again."""
        self._same_length(other)
        return Mask.from_bitarray(self.to_bitarray() ^ other.to_bitarray())

    def __invert__(self) -> Mask:
        return Mask.from_bitarray(~self.to_bitarray())

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.length == other.length and bool(np.array_equal(self.packed, other.packed))

    def __hash__(self) -> int:
        return hash((self.length, self.packed.tobytes()))

    def __repr__(self) -> str:
        return f"Mask({self.count} of {self.length} bits)"

    def _same_length(self, other: Mask) -> None:
        if self.length != other.length:
            raise NetworkError(f"masks of {self.length} and {other.length} bits cannot be combined")
