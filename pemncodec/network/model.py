"""`MaskedNetwork`: the one model in the middle. numpy only; no file format, no torch.

Checkpoint readers produce it, coders consume it, and back. Values are held as words
(`pemncodec.common.words`), so that every bit pattern survives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..common.dtypes import FLOAT32, DType
from ..common.words import Words, to_numpy, word_type
from ..container.manifest.rows import numel
from ..errors import NetworkError
from ..generators.base import BaseGenerator
from . import fill
from .mask import Mask
from .tile import Tile, scaled


@dataclass(frozen=True, eq=False)
class StoredPrototype:
    """A prototype with its values.

    Attributes:
        dtype: element type; must be maskable.
        values: all elements, as words; all-zero bits where not stored.
        presence: which elements are stored, or None for all.
    """

    dtype: DType
    values: Words
    presence: Mask | None = None

    @property
    def length(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class GeneratedPrototype:
    """A prototype that is made from a seed; float32."""

    generator: BaseGenerator

    @property
    def dtype(self) -> DType:
        return FLOAT32

    @property
    def length(self) -> int:
        return self.generator.length


Prototype = StoredPrototype | GeneratedPrototype


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor without a mask. `values`: words."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    values: Words
    task: int = 0

    def numpy(self) -> NDArray[np.generic]:
        """The values as a numpy array (as words for types that numpy lacks)."""
        return to_numpy(self.values, self.dtype, self.shape)


@dataclass(frozen=True)
class TileFill:
    """Filled by a prototype, from `phase` on (spec section 7).

    Attributes:
        prototype: index into `MaskedNetwork.prototypes`.
        phase: where in the prototype the layer begins.
        zero: what a zero bit stands for: `"zero"`, `"negated"` or `"second"`.
        scale: a float32 that multiplies every value, or None.
        second: index of the second prototype, for `zero="second"`.
        second_phase: where in it the layer begins.
    """

    prototype: int
    phase: int = 0
    zero: str = "zero"
    scale: float | None = None
    second: int | None = None
    second_phase: int = 0

    @property
    def scale_bits(self) -> int | None:
        """The scale as a float32 bit pattern."""
        return None if self.scale is None else int(np.float32(self.scale).view(np.uint32))


class KeptFill:
    """Filled by its own values at the ones of the mask, in order; zero elsewhere.

    Args:
        dtype: element type.
        values: words, or what makes them whenever they are asked for.
    """

    __slots__ = ("_values", "dtype")

    def __init__(self, dtype: DType, values: Words | Callable[[], Words]) -> None:
        self.dtype = dtype
        self._values = values

    @property
    def on_demand(self) -> bool:
        """Return whether the values are made when they are asked for."""
        return callable(self._values)

    @property
    def values(self) -> Words:
        """The kept values, as words."""
        return self._values() if callable(self._values) else self._values


@dataclass(frozen=True)
class Layer:
    """A masked weight tensor.

    Attributes:
        mask: index into `MaskedNetwork.masks`; one bit for every element, zero at idle positions.
    """

    name: str
    shape: tuple[int, ...]
    mask: int
    fill: TileFill | KeptFill
    task: int = 0

    @property
    def numel(self) -> int:
        return numel(self.shape)


@dataclass(frozen=True)
class Alias:
    """Another name for the tensor or layer `target` (a tied parameter)."""

    name: str
    target: str
    task: int = 0


Entry = Tensor | Layer | Alias


@dataclass(eq=False)
class MaskedNetwork:
    """A whole network.

    Attributes:
        entries: what the state_dict holds, in its order.
        prototypes: vectors that fill layers.
        masks: masks of layers; several layers may share one.
        metadata: string to string.
        tasks: names of tasks; an entry's `task` is 0 (all of them) or 1 + an index into these.
    """

    entries: list[Entry] = field(default_factory=list)
    prototypes: list[Prototype] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)

    @property
    def layers(self) -> list[Layer]:
        """The masked layers, in order."""
        return [entry for entry in self.entries if isinstance(entry, Layer)]

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors without a mask, in order."""
        return [entry for entry in self.entries if isinstance(entry, Tensor)]

    def resolve(self, entry: Entry) -> Tensor | Layer:
        """The entry itself, or what it is an alias of.

        Raises:
            NetworkError: the alias has no target.
        """
        if not isinstance(entry, Alias):
            return entry
        for other in self.entries:
            if other.name == entry.target and other.task in (0, entry.task) and not isinstance(other, Alias):
                return other
        raise NetworkError(f"alias {entry.name!r} stands for {entry.target!r}, which does not exist")

    def layer_dtype(self, layer: Layer) -> DType:
        """Element type of a layer."""
        return layer.fill.dtype if isinstance(layer.fill, KeptFill) else self.prototypes[layer.fill.prototype].dtype

    # --- values ---------------------------------------------------------------------------------------------

    def prototype_values(self, index: int) -> Words:
        """All elements of a prototype, as words; all-zero bits where not stored."""
        prototype = self.prototypes[index]
        if isinstance(prototype, StoredPrototype):
            return prototype.values
        return prototype.generator.values().view(np.uint32)

    def words_of(self, name: str, task: int = 0) -> Words:
        """The values of one entry as words, shape (numel × words per element,)."""
        return self.words_of_entry(self.resolve(self[name, task]))

    def words_of_entry(self, entry: Tensor | Layer, tiles: dict[int, Tile] | None = None) -> Words:
        """The values of an entry that is no alias.

        Args:
            tiles: prototypes that were made already, which are kept there.
        """
        if isinstance(entry, Tensor):
            return entry.values
        tiles = {} if tiles is None else tiles
        out = np.empty(entry.numel, dtype=word_type(self.layer_dtype(entry)))
        packed = self.masks[entry.mask].packed
        if isinstance(entry.fill, KeptFill):
            fill.scatter(out, packed, entry.fill.values)
            return out
        tiled, second = entry.fill, None
        if tiled.second is not None:
            second = self._tile(tiled.second, tiled.scale_bits, tiles), tiled.second_phase
        first = self._tile(tiled.prototype, tiled.scale_bits, tiles), tiled.phase
        fill.fill_masked(out, packed, tiled.zero, first, second)
        return out

    def __getitem__(self, key: str | tuple[str, int]) -> Entry:
        name, task = (key, 0) if isinstance(key, str) else key
        for entry in self.entries:
            if entry.name == name and entry.task in (0, task):
                return entry
        raise NetworkError(f"there is no tensor {name!r}")

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def _tile(self, index: int, scale_bits: int | None, tiles: dict[int, Tile]) -> Tile:
        if index not in tiles:
            tiles[index] = Tile(self.prototype_values(index))
        return scaled(tiles[index], scale_bits)
