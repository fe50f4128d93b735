"""Layout `packed`: masked layers as `PackedTensor`s, whose masks lie in the mapped file where they are stored raw."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache, partial
from weakref import WeakKeyDictionary

import numpy as np
import torch

from ...coding.cache import Once
from ...coding.decoder import Decoder
from ...common import torch_tensors
from ...common.bits import byte_length
from ...common.dtypes import float32_of
from ...container.manifest.coder_table import MASK_RAW
from ...container.manifest.generated import GeneratedRow, write_generated
from ...container.manifest.rows import KeptRow, TiledRow, ValuesRow, numel
from ...container.manifest.zero_table import ZERO_RULES
from ...errors import PayloadError
from ...network.tile import Tile
from ...packed import checks
from ...packed.tensor import PackedTensor
from ...packed.weight import KEPT, ONES, Meaning, Weight


def load(decoder: Decoder, index: int, row: KeptRow | TiledRow, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the layer. The decoder, and its file, stay open as long as a mask that is not checked yet."""
    yield name, source_of(decoder).tensor(decoder, index, row)


def result_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes of its mask, of its values, or of its prototypes."""
    manifest = decoder.manifest
    size, itemsize = byte_length(numel(row.shape)), decoder.dtype(index).itemsize
    if isinstance(row, KeptRow):
        return size + manifest.masks[row.mask].ones * itemsize
    return size


def decoded_bytes(decoder: Decoder, index: int, row: KeptRow | TiledRow) -> int:
    """Return the bytes that are decoded for it: none where a mask lies in the map."""
    mapped = decoder.manifest.masks[row.mask].coder == MASK_RAW
    return result_bytes(decoder, index, row) if not mapped or isinstance(row, KeptRow) else 0


class _Source:
    """The prototypes and the map of a file, shared by all tensors that come from it."""

    def __init__(self) -> None:
        self._prototypes: Once[tuple[torch.Tensor, torch.Tensor | None, str]] = Once()
        self._map: Once[memoryview] = Once()
        self._scaled: Once[Tile] = Once()

    def tensor(self, decoder: Decoder, index: int, row: KeptRow | TiledRow) -> PackedTensor:
        """Return a layer."""
        bits = self.bits(decoder, index, row)
        if isinstance(row, KeptRow):
            values = _owned(decoder.kept(index)).view(torch_tensors.torch_dtype(decoder.dtype(index)))
            return PackedTensor.of(Weight(Meaning(KEPT, row.shape), bits, values))
        values, presence, recipe = self.prototype(decoder, row.prototype)
        others, others_presence, second_recipe = None, None, ""
        if row.second is not None:
            others, others_presence, second_recipe = self.prototype(decoder, row.second)
        scale = None if row.scale_bits is None else float32_of(row.scale_bits)
        if scale is not None:
            number, bits_of_scale = row.prototype, row.scale_bits
            # It raises where a scaled value is not finite.
            self._scaled((number, bits_of_scale), lambda: decoder.tile(number, bits_of_scale))
        meaning = Meaning(
            ZERO_RULES[row.zero].name, row.shape, row.phase, row.second_phase, scale, recipe, second_recipe
        )
        return PackedTensor.of(Weight(meaning, bits, values, others, presence, others_presence))

    def prototype(self, decoder: Decoder, number: int) -> tuple[torch.Tensor, torch.Tensor | None, str]:
        """Return the values of a prototype, the bits of those that are stored, and the recipe that makes them."""
        return self._prototypes(number, lambda: _prototype(decoder, number))

    def bits(self, decoder: Decoder, index: int, row: KeptRow | TiledRow) -> torch.Tensor:
        """Return the mask of a layer: in the map where it is stored as it is used, else decoded."""
        stored = decoder.manifest.masks[row.mask]
        full = isinstance(row, KeptRow) or (row.second is None and stored.length == numel(row.shape))
        if not full or stored.coder != MASK_RAW:
            return torch_tensors.integers(decoder.bits(index))
        return self._mapped(decoder, index, row)

    def _mapped(self, decoder: Decoder, index: int, row: KeptRow | TiledRow) -> torch.Tensor:
        view = self._map(0, decoder.container.mapped)
        start, stop = decoder.container.mask_place(row.mask)
        bits = _over(view, start, stop - start)
        ONES.put(bits, decoder.manifest.masks[row.mask].ones)
        checks.later(bits, partial(_check, decoder, index, row, view))
        return bits


def _check(decoder: Decoder, index: int, row: KeptRow | TiledRow, view: memoryview) -> None:
    """Check a mask that is used where it lies: checksums, padding, number of ones, no bits for idle elements."""
    decoder.begin()
    decoder.check_mask_in(view, row.mask)
    start, stop = decoder.container.mask_place(row.mask)
    if decoder.has_idle(index) and not np.array_equal(decoder.bits(index), np.frombuffer(view[start:stop], np.uint8)):
        raise PayloadError(f"mask {row.mask} changed while it was read, or has bits for elements that are idle")


def _prototype(decoder: Decoder, number: int) -> tuple[torch.Tensor, torch.Tensor | None, str]:
    row = decoder.manifest.prototypes[number]
    dtype = decoder.manifest.prototype_dtype(number)
    values = _owned(decoder.prototype(number)).view(torch_tensors.torch_dtype(dtype))
    presence = None
    if isinstance(row, ValuesRow) and row.presence is not None:
        presence = torch_tensors.integers(decoder.mask(row.presence))
    return values, presence, write_generated(row).hex() if isinstance(row, GeneratedRow) else ""


def _owned(words: np.ndarray) -> torch.Tensor:
    """Return words as integers in memory that nobody else has: a view of a block would keep all of it."""
    return torch_tensors.integers(words if words.base is None and words.flags.owndata else words.copy())


def _over(view: memoryview, start: int, count: int) -> torch.Tensor:
    if not count:
        return torch.empty(0, dtype=torch.uint8)
    _warned()
    return torch.frombuffer(view, dtype=torch.uint8, offset=start, count=count)


@cache
def _warned() -> None:
    """Have torch warn, unseen, of memory that cannot be written, which it does once: nobody writes to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.frombuffer(b"0", dtype=torch.uint8)


_SOURCES: WeakKeyDictionary[Decoder, _Source] = WeakKeyDictionary()


def source_of(decoder: Decoder) -> _Source:
    """Return the source of a decoder: one, so that its prototypes are there once."""
    found = _SOURCES.get(decoder)
    return found if found is not None else _SOURCES.setdefault(decoder, _Source())
