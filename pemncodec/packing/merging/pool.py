"""The prototypes of several networks, each there once: equal ones, and stored ones that only know different elements.

A file stores the elements of a prototype that some layer keeps. Two files over one backbone therefore hold different
parts of one prototype, and a layer whose values no other layer has is stored as its kept values. Both are parts of one
vector if they agree, bit for bit, wherever both have an element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...common.dtypes import DType
from ...common.words import Words, word_type
from ...network import fill
from ...network.mask import Mask
from ...network.model import GeneratedPrototype, KeptFill, Layer, MaskedNetwork, Prototype, StoredPrototype
from ..sharing.find import decide
from ..sharing.vector import Vector, Weight


@dataclass(eq=False)
class Part:
    """A prototype of the result.

    Attributes:
        values: words; all-zero bits where not known.
        known: which of them are known; None: all.
        kept: whether it was made of the kept values of layers, which may also be stored as they are.
        generated: what makes it, if it is not stored; then there are no values.
    """

    dtype: DType
    values: Words | None
    known: NDArray[np.bool_] | None
    kept: bool = False
    generated: GeneratedPrototype | None = None


@dataclass
class Pool:
    """The prototypes that were added so far.

    Attributes:
        seeds: those that are made from a seed.
        named: those that layers of a name use, in the order in which they came.
    """

    seeds: dict[GeneratedPrototype, Part] = field(default_factory=dict)
    named: dict[str, list[Part]] = field(default_factory=dict)

    def tiled(self, network: MaskedNetwork) -> dict[int, Part]:
        """Add the prototypes of a network, and return them by their number in it."""
        users: dict[int, list[str]] = {}
        for layer in network.layers:
            if not isinstance(layer.fill, KeptFill):
                for index in (layer.fill.prototype, layer.fill.second):
                    if index is not None:
                        users.setdefault(index, []).append(layer.name)
        found = {}
        for index, names in users.items():
            part = self._of(network.prototypes[index], dict.fromkeys(names))
            found[index] = part
            for name in dict.fromkeys(names):
                self._use(name, part)
        return found

    def kept(self, layer: Layer, mask: Mask) -> Part:
        """Add the kept values of a layer as a prototype of its size, of which these are known."""
        assert isinstance(layer.fill, KeptFill)
        values = np.zeros(layer.numel, dtype=word_type(layer.fill.dtype))
        fill.scatter(values, mask.packed, layer.fill.values)
        part = self._joined(Part(layer.fill.dtype, values, mask.to_bool(), kept=True), (layer.name,))
        self._use(layer.name, part)
        return part

    def _of(self, prototype: Prototype, names: Sequence[str] | dict[str, None]) -> Part:
        if isinstance(prototype, GeneratedPrototype):
            return self.seeds.setdefault(prototype, Part(prototype.dtype, None, None, generated=prototype))
        presence = prototype.presence
        known = None if presence is None else presence.to_bool()
        return self._joined(Part(prototype.dtype, prototype.values, known), names)

    def _joined(self, part: Part, names: Sequence[str] | dict[str, None]) -> Part:
        """The part that this one is the same as, with all that either knows; or itself."""
        for name in names:
            for other in self.named.get(name, []):
                if _join(other, part):
                    return other
        return part

    def _use(self, name: str, part: Part) -> None:
        parts = self.named.setdefault(name, [])
        if part not in parts:
            parts.append(part)


def _join(one: Part, two: Part) -> bool:
    """Add what `two` knows to `one`, if they agree where both know an element, and there is one."""
    if one.values is None or two.values is None or one.kept != two.kept:
        return False
    if (one.dtype, len(one.values)) != (two.dtype, len(two.values)):
        return False
    differs = one.values != two.values
    known = [part.known for part in (one, two) if part.known is not None]
    if known:
        both = np.logical_and.reduce(known)
        if not both.any() or (differs & both).any():
            return False
    elif differs.any():
        return False
    if one.known is None:
        return True
    if two.known is None:
        one.values, one.known = two.values, None
        return True
    one.values = one.values | two.values  # zero bits where one of them knows nothing
    one.known = one.known | two.known
    return True


def stored(part: Part, layers: Sequence[Layer], masks: Sequence[Mask]) -> StoredPrototype | None:
    """The prototype to store, as packing all networks at once decides; None: kept values of each layer are smaller.

    Args:
        layers: those that it fills.
        masks: of each of them.
    """
    assert part.values is not None
    nothing = np.zeros(1, dtype=part.values.dtype)
    weights = [
        Weight(part.dtype, np.broadcast_to(nothing, layer.numel), mask)
        for layer, mask in zip(layers, masks, strict=True)
    ]
    vector = Vector(part.dtype, part.values, list(range(len(layers))), [None] * len(layers))
    decide(vector, weights)
    if part.kept and not vector.shared:
        return None
    presence = vector.presence if vector.presence is not None else part.known
    if presence is None:
        return StoredPrototype(part.dtype, part.values)
    if part.known is not None:
        presence = presence & part.known
    return StoredPrototype(part.dtype, np.where(presence, part.values, nothing), Mask.from_bool(presence))
