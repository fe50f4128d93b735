"""Vectors that fill the masked layers, found by search, and the values of them that some layer keeps.

A user who writes a format by hand knows these vectors, and the floor counts them. The search is far simpler than
pemncodec's own, and has to work for the networks of this comparison only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .network import Masked, Network

_TRIES = 4096  # beginnings of a period that are looked at
_LOOK = 64  # elements by which most of them are ruled out


@dataclass(eq=False)
class Vector:
    """Values that fill one layer or more; a longer layer begins again.

    Attributes:
        elements: all of them, flat.
        used: bool, those that some layer keeps.
        users: names of the layers.
        shared: whether it serves more than the one layer of its length.
    """

    elements: torch.Tensor
    used: torch.Tensor
    users: list[str] = field(default_factory=list)
    shared: bool = False

    @property
    def values(self) -> torch.Tensor:
        """The used elements, in order."""
        return self.elements[self.used]


def vectors(network: Network) -> list[Vector]:
    """The vectors of a network, the longest layers' first."""
    found: list[Vector] = []
    order = sorted(network.masked, key=lambda name: -network.masked[name].fill.numel())
    for name in order:
        layer = network.masked[name]
        vector = next((one for one in found if fits(one.elements, layer)), None) if network.shared else None
        if vector is None:
            flat = layer.fill.flatten()
            elements = flat[: period(flat)] if network.shared else flat
            vector = Vector(elements, torch.zeros(len(elements), dtype=torch.bool))
            found.append(vector)
        vector.shared |= bool(vector.users) or layer.fill.numel() > len(vector.elements)
        vector.users.append(name)
        vector.used |= kept_somewhere(layer.mask.flatten(), len(vector.elements))
    return found


def fits(elements: torch.Tensor, layer: Masked) -> bool:
    """Return whether the layer is these elements, repeated."""
    flat = layer.fill.flatten()
    return elements.dtype == flat.dtype and torch.equal(bits(tiled(elements, len(flat))), bits(flat))


def tiled(elements: torch.Tensor, count: int) -> torch.Tensor:
    """`count` elements: these, over and over."""
    return elements.repeat(-(-count // len(elements)))[:count]


def kept_somewhere(mask: torch.Tensor, length: int) -> torch.Tensor:
    """The elements of a vector of this length that a flat mask keeps anywhere."""
    padded = torch.zeros(-(-max(len(mask), length) // length) * length, dtype=torch.bool)
    padded[: len(mask)] = mask
    return padded.view(-1, length).any(0)


def period(flat: torch.Tensor) -> int:
    """The least number of elements after which a tensor begins again, or its length."""
    words = bits(flat)
    starts = (words == words[0]).nonzero().flatten()[1 : _TRIES + 1].tolist()
    for start in starts:
        look = min(_LOOK, len(words) - start)
        if torch.equal(words[start : start + look], words[:look]) and torch.equal(words[start:], words[:-start]):
            return int(start)
    return len(words)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The elements as integers of their size."""
    kinds = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.contiguous().view(kinds[tensor.element_size()])
