"""Entries -> dense tensors on a device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch

from ...coding.decoder import Decoder
from ...common import torch_tensors
from ...common.dtypes import float32_of
from ...common.progress import Progress
from ...container.manifest.rows import KeptRow, MaskedRow, PlainRow, TiledRow, numel
from ...container.manifest.zero_table import ZERO_RULES
from ...network.tile import Tile
from . import layers, masks
from .devices import out_of_memory

# What decoding masks may take on the device for a while. A single large mask may take more: a bit more than its layer.
BATCH_BYTES = 1 << 28


def load_entries_on_device(
    decoder: Decoder, entries: Mapping[str, int], device: torch.device, progress: Progress
) -> dict[str, list[tuple[str, torch.Tensor]]]:
    """The dense tensors that entries become, by the name of the entry.

    Masks and values go to the device as the file has them, as far as torch can decode them there, and are expanded
    there. Plain tensors, kept values and prototypes are decoded on the CPU; generated prototypes too, whose checksum
    (spec section 8.6) has no torch way.

    Args:
        decoder: of an opened file.
        entries: number in the manifest by name, none of them an alias.
        device: where the tensors shall be, and where they are made.
        progress: called with (bytes done, bytes in total, name).

    Raises:
        FormatError: the file cannot be decoded.
        UnsupportedTensorError: the installed torch lacks a dtype.
        MemoryError: the machine or the device has not so much.
    """
    with out_of_memory():
        return _Loading(decoder, entries, device, progress).run()


_NEGATED = {"zero": False, "negated": True, "second": False}  # the rules that are filled here


class _Loading:
    def __init__(self, decoder: Decoder, entries: Mapping[str, int], device: torch.device, progress: Progress) -> None:
        self.decoder = decoder
        self.entries = entries
        self.device = device
        self.progress = progress
        self.total = sum(map(decoder.size, entries.values()))
        self.done = 0
        self.loaded: dict[str, list[tuple[str, torch.Tensor]]] = {}
        self.masks: dict[int, torch.Tensor] = {}
        rows = [row for index in entries.values() if isinstance(row := self.row(index), MaskedRow)]
        self.mask_users = Counter(row.mask for row in rows)
        self.prototypes: dict[int, torch.Tensor] = {}
        self.unsure: list[tuple[int, torch.Tensor, int]] = []  # entry, bits that its mask should have, and has
        self.subnormals = _keeps_subnormals(device)

    def row(self, index: int) -> PlainRow | MaskedRow:
        return self.decoder.manifest.resolve(index)

    def run(self) -> dict[str, list[tuple[str, torch.Tensor]]]:
        self.progress(0, self.total, "")
        waiting: dict[str, int] = {}
        batch = masks.Batch()
        for name, index in self.entries.items():
            self.decoder.check_entry(index)
            row = self.row(index)
            if isinstance(row, MaskedRow) and row.mask not in self.masks:
                batch.add(self.decoder, row.mask)
            waiting[name] = index
            if batch.cost > BATCH_BYTES:
                self.load(waiting, batch)
                waiting, batch = {}, masks.Batch()
        self.load(waiting, batch)
        return self.loaded

    def load(self, entries: Mapping[str, int], batch: masks.Batch) -> None:
        """Decode masks together, and make the entries that waited for them."""
        self.masks |= masks.decode(self.decoder, batch.coded.values(), self.device)
        for name, index in entries.items():
            self.loaded[name] = [(name, self.tensor(index))]
            self.done += self.decoder.size(index)
            self.progress(self.done, self.total, name)
        wrong = torch.stack([needed != length for _, needed, length in self.unsure]).tolist() if self.unsure else []
        for (index, _, _), differs in zip(self.unsure, wrong, strict=True):
            if differs:
                self.decoder.layer_mask(index)  # raises, and says what is wrong
        self.unsure = []

    def tensor(self, index: int) -> torch.Tensor:
        row, dtype = self.row(index), self.decoder.dtype(index)
        if isinstance(row, PlainRow):
            return torch_tensors.to_tensor(self.decoder.words(index), dtype, row.shape).to(self.device)
        kind = torch_tensors.torch_dtype(dtype)
        if isinstance(row, KeptRow):
            values = torch_tensors.integers(self.decoder.kept(index)).to(self.device)
            words = layers.kept(self.masks[row.mask], values, numel(row.shape))
        else:
            words = self.tiled(index, row)
        self.mask_users[row.mask] -= 1
        if not self.mask_users[row.mask]:
            del self.masks[row.mask]
        return words.view(kind).reshape(row.shape)

    def tiled(self, index: int, row: TiledRow) -> torch.Tensor:
        count, length = numel(row.shape), self.decoder.manifest.masks[row.mask].length
        tile = self.decoder.tile(row.prototype, row.scale_bits)
        first = self.source(row.prototype, tile, row.phase, row.scale_bits)
        second = None
        if row.second is not None:
            other = self.decoder.tile(row.second, row.scale_bits)
            second = self.source(row.second, other, row.second_phase, row.scale_bits)
        rule = ZERO_RULES[row.zero].name
        if rule not in _NEGATED or (row.scale_bits is not None and not self.subnormals):
            return torch_tensors.integers(self.decoder.words(index)).to(self.device)
        spread = second is not None or length != count or tile.has_zero
        words, needed = layers.tiled(self.masks[row.mask], count, first, second, _NEGATED[rule], spread)
        if spread:
            self.unsure.append((index, needed, length))
        return words

    def source(self, prototype: int, tile: Tile, phase: int, scale_bits: int | None) -> layers.Source:
        if prototype not in self.prototypes:
            self.prototypes[prototype] = torch_tensors.integers(tile.values).to(self.device)
        factor = None if scale_bits is None else float32_of(scale_bits)
        return layers.Source(self.prototypes[prototype], phase, factor)


def _keeps_subnormals(device: torch.device) -> bool:
    """Return whether products below the least normal float32 are what IEEE 754 says."""
    small = torch.tensor([3 << 20, 0x00800000], dtype=torch.int32, device=device).view(torch.float32)
    return (small * 0.5).view(torch.int32).tolist() == [3 << 19, 0x00400000]
