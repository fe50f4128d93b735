"""The values of a network as blocks: prototypes, tensors and kept values (spec sections 4.4 and 6)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ...common.words import Words
from ...container.manifest.rows import BlockRow
from ...container.writer import Sections
from ...network import fill
from ...network.model import KeptFill, Layer, MaskedNetwork, StoredPrototype, Tensor
from ..bools import is_mask
from ..delta.matching import Against
from .grouping import Source, encode_groups


class EncodedBlocks:
    """All blocks of a network.

    Args:
        network: whose values they hold.
        order: its prototypes, in the order of the file.
        against: what they may be differences from.
        folder: where a temporary file may be.
        seekable: whether large ones are in chunks.

    Attributes:
        rows: of the manifest.
        payloads: as they are stored.
        saved: bytes that differences from the base have saved.
    """

    def __init__(
        self,
        network: MaskedNetwork,
        order: Iterable[int],
        against: Against,
        folder: Path | None,
        *,
        seekable: bool = False,
    ) -> None:
        self.rows: list[BlockRow] = []
        self.payloads = Sections(folder)
        self.saved = 0
        self._of: dict[tuple[str, int], int] = {}
        for block in encode_groups(_sources(network, order, against), seekable=seekable):
            for user in block.users:
                self._of[user] = len(self.rows)
            self.saved += block.saved
            self.rows.append(block.row)
            self.payloads.add(block.payload)

    def of(self, role: str, index: int) -> int:
        """Return the number of the block of a `"prototype"`, `"tensor"` or `"kept"` layer, by its index."""
        return self._of[role, index]


def _sources(network: MaskedNetwork, order: Iterable[int], against: Against) -> list[Source]:
    """Return the arrays that are stored in blocks, in the order of spec section 4.4."""
    sources: list[Source] = []
    for index in order:
        prototype = network.prototypes[index]
        if isinstance(prototype, StoredPrototype):
            count = prototype.length if prototype.presence is None else prototype.presence.count
            size = count * prototype.dtype.itemsize
            load, reference = partial(_stored, prototype), against.prototype(index)
            sources.append(Source(("prototype", index), prototype.dtype, 0, "", size, load, reference))
    for index, entry in enumerate(network.entries):
        if is_mask(entry):
            continue
        if isinstance(entry, Tensor):
            kind = entry.name.rsplit(".", 1)[-1]
            size, load, reference = entry.values.nbytes, partial(_values, entry), against.tensor(entry)
            sources.append(Source(("tensor", index), entry.dtype, entry.task, kind, size, load, reference))
        elif isinstance(entry, Layer) and isinstance(entry.fill, KeptFill):
            size = network.masks[entry.mask].count * entry.fill.dtype.itemsize
            load, reference = partial(_values, entry.fill), against.kept(entry, entry.fill.dtype)
            sources.append(Source(("kept", index), entry.fill.dtype, entry.task, "", size, load, reference))
    return sources


def _stored(prototype: StoredPrototype) -> Words:
    """Return the elements of a prototype that a file holds."""
    return prototype.values if prototype.presence is None else fill.kept(prototype.values, prototype.presence.packed)


def _values(holder: Tensor | KeptFill) -> Words:
    return holder.values
