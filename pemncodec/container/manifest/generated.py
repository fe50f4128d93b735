"""Prototypes that are made from a seed, as rows of the manifest (spec section 4.5, kind 1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any

from ...errors import ManifestError
from ..cursor import Cursor
from ..header import MAJOR
from .generator_table import GENERATORS


class GeneratedRow(ABC):
    """A prototype that is made from a seed: its row in the manifest, float32 values.

    A subclass is a frozen dataclass with these attributes, and those of its generator.

    Attributes:
        length: number of elements.
        digest: CRC-32 of all elements as little-endian float32.
    """

    __slots__ = ()
    length: int
    digest: int

    @property
    @abstractmethod
    def generator(self) -> int:
        """The id of the generator, a key of `GENERATORS`."""

    @property
    def draws(self) -> int:
        """The number of draws from the beginning of `torch_seed` that are made for it (spec section 4.7)."""
        return 0

    @property
    def torch_seed(self) -> int | None:
        """The seed of PyTorch that made the values, if one did."""
        return None

    @abstractmethod
    def write(self) -> bytes:
        """Return the bytes after the id of the generator."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return the fields as `pemn inspect --json` prints them, without `dtype` and `length`."""

    @abstractmethod
    def summary(self) -> str:
        """Return the line that `pemn inspect` prints."""


def read_generated(cursor: Cursor, length: int, minor: int, what: str) -> GeneratedRow:
    """Return the row whose bytes follow kind and length.

    Raises:
        ManifestError: the generator came after version 1.`minor`, or a field is not allowed.
    """
    generator = cursor.fixed(1, f"generator of {what}")
    kind = GENERATORS.get(generator)
    if kind is None or kind.since > minor:
        raise ManifestError(f"{what} has the generator {generator}, which is unknown in format version {MAJOR}.{minor}")
    row: GeneratedRow = import_module(kind.rows).read(cursor, generator, length, what)
    return row


def write_generated(row: GeneratedRow) -> bytes:
    """Return the bytes of `read_generated`."""
    return bytes([row.generator]) + row.write()
