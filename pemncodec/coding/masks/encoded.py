"""The masks of a network as sections, each bit string once (spec section 5)."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from ...common import kernels
from ...common.bits import Packed
from ...common.progress import Progress
from ...container.manifest.rows import MaskRow
from ...container.writer import Sections
from ...errors import NetworkError, PayloadError
from ...network import fill
from ...network.model import KeptFill, Layer, MaskedNetwork, StoredPrototype, TileFill
from ...network.tile import Tile, scaled
from ..bools import packed_bits, stored_as_masks
from ..delta.matching import Against, BaseMask
from .coders import encode_flips, encode_in_chunks, encode_mask


class EncodedMasks:
    """Masks in the order in which they are asked for.

    Args:
        network: whose masks are asked for.
        against: what they may be differences from.
        folder: where a temporary file may be.
        seekable: whether large ones are in chunks.

    Attributes:
        rows: of the manifest.
        payloads: as they are stored.
        saved: bytes that differences from the base have saved so far.
    """

    def __init__(
        self, network: MaskedNetwork, against: Against, folder: Path | None, *, seekable: bool = False
    ) -> None:
        self._encode = encode_in_chunks if seekable else encode_mask
        self._network = network
        self._against = against
        self._tiles: dict[int, Tile] = {}
        fills = [layer.fill for layer in network.layers if isinstance(layer.fill, TileFill)]
        self._users = Counter(index for fill in fills for index in (fill.prototype, fill.second))
        self._numbers: dict[tuple[int, bytes], int] = {}
        self.rows: list[MaskRow] = []
        self.payloads = Sections(folder)
        self.saved = 0

    def of_entries(self, progress: Progress) -> dict[int, int]:
        """Return the number of each mask by the index of its entry: of kept and of tiled layers, of bool tensors."""
        layers = [(index, entry) for index, entry in enumerate(self._network.entries) if isinstance(entry, Layer)]
        bools = stored_as_masks(self._network)
        total = sum(layer.numel for _, layer in layers) + sum(len(tensor.values) for tensor in bools.values())
        done = 0
        kernels.say_if_missing(4 * total)
        numbers: dict[int, int] = {}
        for kind in (KeptFill, TileFill):
            for index, layer in layers:
                if isinstance(layer.fill, kind):
                    progress(done, total, layer.name)
                    packed, length = self._stored(layer)
                    numbers[index] = self._add(packed, length, self._against.mask_of(layer, length))
                    done += layer.numel
        for index, tensor in bools.items():
            progress(done, total, tensor.name)
            length = len(tensor.values)
            numbers[index] = self._add(packed_bits(tensor), length, self._against.mask_of(tensor, length))
            done += length
        progress(done, total, "")
        return numbers

    def of_prototype(self, index: int) -> int | None:
        """Return the number of the presence mask of a stored prototype; None if all its values are there."""
        prototype = self._network.prototypes[index]
        assert isinstance(prototype, StoredPrototype)
        if prototype.presence is None:
            return None
        length = prototype.presence.length
        return self._add(prototype.presence.packed, length, self._against.mask_of_prototype(index, length))

    def _stored(self, layer: Layer) -> tuple[Packed, int]:
        """Return the bits at the positions that are not idle (spec section 7), and their number."""
        mask = self._network.masks[layer.mask]
        if isinstance(layer.fill, KeptFill):
            return mask.packed, mask.length
        tile = self._tile(layer.fill.prototype, layer.fill.scale_bits)
        second = None
        if layer.fill.second is not None:
            second = self._tile(layer.fill.second, layer.fill.scale_bits), layer.fill.second_phase
        elif not tile.has_zero:
            return mask.packed, mask.length
        return fill.gather(mask.packed, layer.numel, tile, layer.fill.phase, second)

    def _tile(self, index: int, scale_bits: int | None) -> Tile:
        tile = self._tiles.get(index) or Tile(self._network.prototype_values(index))
        if self._users[index] > 1:
            self._tiles[index] = tile
        try:
            return scaled(tile, scale_bits)
        except PayloadError as reason:
            raise NetworkError(str(reason)) from None

    def _add(self, packed: Packed, length: int, base: BaseMask | None) -> int:
        key = length, hashlib.blake2b(packed.data).digest()
        if key not in self._numbers:
            row, payload = self._encode(packed, length)
            if base is not None:
                flips, flips_payload = encode_flips(packed, length, base.number, base.packed)
                if flips.size < row.size:
                    self.saved += row.size - flips.size
                    row, payload = flips, flips_payload
            self._numbers[key] = len(self.rows)
            self.rows.append(row)
            self.payloads.add(payload)
        return self._numbers[key]
