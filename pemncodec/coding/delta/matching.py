"""Masks, prototypes and entries of a base that a network is coded against when it becomes a delta (spec 5.4, 6.2).

Things of one name go together. How much they have in common is not judged here: the encoder takes what is smaller.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ...common.bits import Packed
from ...common.dtypes import DType
from ...common.words import Words, to_bytes
from ...container.manifest.rows import BoolRow, KeptRow, Manifest, TensorRow, TiledRow, ValuesRow, numel
from ...network.model import Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill
from ..blocks.grouping import Reference
from .base_values import BaseValues

# All that the encoder asks for is dropped once it has been used: it is decoded again where it is wanted again.
_ENCODER = "the encoder"
Add = Callable[..., Words]


@dataclass(frozen=True)
class BaseMask:
    """A mask of the base: its number, and its bits."""

    number: int
    packed: Packed


@dataclass(frozen=True)
class OpenedBase:
    """A base that is ready to be coded against, and its SHA-256."""

    digest: str
    values: BaseValues


class Against:
    """Finds for each part of a network what it may be coded against.

    Args:
        network: which is packed.
        base: which it is packed against. Without one nothing is found.
    """

    def __init__(self, network: MaskedNetwork, base: OpenedBase | None) -> None:
        self.digest = "" if base is None else base.digest
        self._network = network
        self._base = base
        self._manifest = Manifest() if base is None else base.values.manifest
        self._entries: dict[tuple[str | None, str], int] = {}
        for number, row in enumerate(self._manifest.entries):
            task = self._manifest.tasks[row.task - 1] if row.task else ""
            self._entries[task, row.name] = number
            self._entries.setdefault((None, row.name), number)
        self._users: dict[int, list[tuple[Layer, bool]]] = defaultdict(list)
        for layer in network.layers:
            if isinstance(layer.fill, TileFill):
                self._users[layer.fill.prototype].append((layer, False))
                if layer.fill.second is not None:
                    self._users[layer.fill.second].append((layer, True))
        self._equal: dict[tuple[DType, int], dict[bytes, int]] = {}

    @property
    def _values(self) -> BaseValues:
        assert self._base is not None, "nothing was found in an empty manifest"
        return self._base.values

    # --- masks ------------------------------------------------------------------------------------------------

    def mask_of(self, entry: Layer | Tensor, length: int) -> BaseMask | None:
        """The mask of the layer, or bool tensor, of this name, if it has so many bits."""
        row = self._masked(entry)
        return None if row is None else self._mask(row.mask, length)

    def mask_of_prototype(self, index: int, length: int) -> BaseMask | None:
        """The mask that says which elements of the prototype of the same layers are stored, if it has so many bits."""
        number = self._in_place_of(index)
        row = None if number is None else self._manifest.prototypes[number]
        return self._mask(row.presence, length) if isinstance(row, ValuesRow) and row.presence is not None else None

    def _mask(self, number: int, length: int) -> BaseMask | None:
        if self._manifest.masks[number].length != length:
            return None
        return BaseMask(number, self._values.mask(number, length, _ENCODER))

    # --- values -----------------------------------------------------------------------------------------------

    def tensor(self, tensor: Tensor) -> Reference | None:
        """The entry of this name, if its dtype and number of elements are the same."""
        return self._entry(tensor, tensor.dtype, None)

    def kept(self, layer: Layer, dtype: DType) -> Reference | None:
        """As `tensor`, for the kept values of a layer."""
        return self._entry(layer, dtype, self._network.masks[layer.mask].packed)

    def _entry(self, entry: Tensor | Layer, dtype: DType, packed: Packed | None) -> Reference | None:
        number, count = self._number(entry), numel(entry.shape)
        if number is None or not count:
            return None
        if (self._manifest.entry_dtype(number), numel(self._manifest.resolve(number).shape)) != (dtype, count):
            return None
        return self._reference(self._values.add_entry, number, dtype, count, packed)

    def prototype(self, index: int) -> Reference | None:
        """A prototype of equal elements, or that of the layers of the same names, if dtype and length are the same."""
        prototype = self._network.prototypes[index]
        assert isinstance(prototype, StoredPrototype)
        number = self._equal_to(prototype)
        if number is None:
            number = self._in_place_of(index)
        if number is None:
            return None
        packed = None if prototype.presence is None else prototype.presence.packed
        return self._reference(self._values.add_prototype, number, prototype.dtype, prototype.length, packed)

    @staticmethod
    def _reference(add: Add, number: int, dtype: DType, count: int, packed: Packed | None) -> Reference:
        return Reference(
            number + 1, partial(add, number=number, dtype=dtype, count=count, packed=packed, user=_ENCODER)
        )

    # --- what goes with what ----------------------------------------------------------------------------------

    def _number(self, entry: Tensor | Layer) -> int | None:
        """The entry of the same name: in the task of the same name, in all tasks, or in the first that has one."""
        if not self._entries:
            return None
        task = self._network.tasks[entry.task - 1] if entry.task else ""
        found = (self._entries.get((place, entry.name)) for place in (task, "", None))
        return next((number for number in found if number is not None), None)

    def _masked(self, entry: Layer | Tensor) -> KeptRow | TiledRow | BoolRow | None:
        number = self._number(entry)
        row = None if number is None else self._manifest.resolve(number)
        return None if isinstance(row, TensorRow) else row

    def _in_place_of(self, index: int) -> int | None:
        """The prototype that the base has in the layers that use ours."""
        prototype = self._network.prototypes[index]
        for layer, second in self._users[index]:
            row = self._masked(layer)
            if not isinstance(row, TiledRow):
                continue
            number = row.second if second else row.prototype
            if number is not None and self._kind(number) == (prototype.dtype, prototype.length):
                return number
        return None

    def _equal_to(self, prototype: StoredPrototype) -> int | None:
        kind = prototype.dtype, prototype.length
        if kind not in self._equal:
            found: dict[bytes, int] = {}
            for number in range(len(self._manifest.prototypes)):
                if self._kind(number) == kind:
                    found.setdefault(_digest(self._values.prototype(number, _ENCODER)), number)
            self._equal[kind] = found
        return self._equal[kind].get(_digest(prototype.values)) if self._equal[kind] else None

    def _kind(self, number: int) -> tuple[DType, int]:
        return self._manifest.prototype_dtype(number), self._manifest.prototypes[number].length


def _digest(words: Words) -> bytes:
    return hashlib.blake2b(to_bytes(words)).digest()
