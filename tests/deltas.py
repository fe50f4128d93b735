"""Networks that share much, and deltas made by hand around payloads of one's own."""

from __future__ import annotations

import copy
import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pemncodec.coding.decoder import Decoder
from pemncodec.common.dtypes import FLOAT32, DType
from pemncodec.container.manifest.rows import BASE_KEY, BlockRow, KeptRow, Manifest, MaskRow, TensorRow
from pemncodec.container.opening import open_container
from pemncodec.container.writer import Sections, write_container
from pemncodec.generators.philox.generator import Generator
from pemncodec.network.mask import Mask
from pemncodec.network.model import GeneratedPrototype, KeptFill, Layer, MaskedNetwork, Prototype, Tensor
from pemncodec.network.model import TileFill as Tile

from .networks import Array, assemble, u

FLIPS, XOR = 8, 6
SEEDED = GeneratedPrototype(Generator("normal", 500, 3))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def floats(*shape: int, seed: int) -> Array:
    """Normal float32 values, as words, flat."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return values.reshape(-1).view(np.uint32)


def tiled(layers: int, count: int, prototype: Prototype = SEEDED, seed: int = 0) -> MaskedNetwork:
    """Layers under random masks, and a bias each."""
    rng = np.random.default_rng(seed)
    network = MaskedNetwork(prototypes=[prototype])
    for number in range(layers):
        network.masks.append(Mask.from_bool(rng.random(count) < 0.5))
        network.entries.append(Layer(f"{number}.weight", (count // 8, 8), number, Tile(0)))
        network.entries.append(Tensor(f"{number}.bias", FLOAT32, (64,), floats(64, seed=number)))
    return network


def kept(layers: int, count: int) -> MaskedNetwork:
    """Layers that keep a third of their values."""
    network = MaskedNetwork()
    for number in range(layers):
        flags = np.random.default_rng(number).random(count) < 1 / 3
        network.masks.append(Mask.from_bool(flags))
        fill = KeptFill(FLOAT32, floats(count, seed=number)[flags])
        network.entries.append(Layer(f"{number}.weight", (count,), number, fill))
    return network


def flipped(network: MaskedNetwork, share: float, seed: int = 1) -> MaskedNetwork:
    """The same with this share of all mask bits flipped; values that were not kept are new."""
    rng = np.random.default_rng(seed)
    changed = copy.copy(network)
    changed.masks = [Mask.from_bool(mask.to_bool() ^ (rng.random(mask.length) < share)) for mask in network.masks]
    changed.entries = list(network.entries)
    for index, entry in enumerate(network.entries):
        if isinstance(entry, Layer) and isinstance(entry.fill, KeptFill):
            dense = network.words_of(entry.name, entry.task)
            new = floats(entry.numel, seed=seed + index)
            values = np.where(network.masks[entry.mask].to_bool(), dense, new)[changed.masks[entry.mask].to_bool()]
            changed.entries[index] = replace(entry, fill=KeptFill(FLOAT32, values))
    return changed


def with_tensors(network: MaskedNetwork, **values: Array) -> MaskedNetwork:
    """The same with other values in tensors of these names; dots are written as `__`."""
    named = {name.replace("__", "."): words for name, words in values.items()}
    changed = copy.copy(network)
    changed.entries = [
        replace(entry, values=named[entry.name]) if isinstance(entry, Tensor) and entry.name in named else entry
        for entry in network.entries
    ]
    return changed


# --- made by hand -------------------------------------------------------------------------------------------


def by_hand(manifest: Manifest, payloads: Sequence[bytes], base: bytes | str) -> bytes:
    """A delta against `base`, its bytes or what stands in the metadata; the sizes in the tables are filled in.

    Args:
        payloads: of all masks, then of all blocks.
    """
    count = len(manifest.masks)
    digest = base if isinstance(base, str) else sha256(base)
    sections = Sections()
    for payload in payloads:
        sections.add(payload)
    whole = Manifest(
        metadata={BASE_KEY: digest},
        tasks=manifest.tasks,
        masks=tuple(replace(row, size=len(data)) for row, data in zip(manifest.masks, payloads, strict=False)),
        blocks=tuple(replace(row, size=len(data)) for row, data in zip(manifest.blocks, payloads[count:], strict=True)),
        prototypes=manifest.prototypes,
        entries=manifest.entries,
    )
    return write_container(whole, [sections]).to_bytes()


def mask_delta(base: bytes, payload: bytes, length: int, ones: int) -> bytes:
    """A kept layer `w` of ones, float32, whose mask has coder 8 and this payload."""
    values = np.full(ones, 0x3F800000, dtype="<u4").tobytes()
    manifest = Manifest(
        masks=(MaskRow(FLIPS, length, ones, 0),),
        blocks=(BlockRow(FLOAT32, 0, 0),),
        entries=(KeptRow("w", 0, (length,), 0, 0),),
    )
    return by_hand(manifest, [payload, values], base)


def tensor_delta(base: bytes, payload: bytes, shapes: Sequence[tuple[int, ...]], dtype: DType = FLOAT32) -> bytes:
    """Tensors `t0`, `t1`, … in one block of coder 6 with this payload."""
    rows = tuple(TensorRow(f"t{number}", 0, shape, 0) for number, shape in enumerate(shapes))
    return by_hand(Manifest(blocks=(BlockRow(dtype, XOR, 0),), entries=rows), [payload], base)


def raw_flips(number: int, flags: Array) -> bytes:
    """A payload of coder 8: mask `number` of the base, and the bits that differ, as they are."""
    return u(number) + u(int(flags.sum())) + b"\x01" + np.packbits(flags, bitorder="little").tobytes()


def raw_xor(references: Sequence[int], differences: Array) -> bytes:
    """A payload of coder 6: references, and the differences as they are."""
    return b"".join(map(u, references)) + b"\x00" + differences.astype(differences.dtype.newbyteorder("<")).tobytes()


def resealed(manifest: bytes, payload: bytes, minor: int) -> bytes:
    """A file of these parts, of version 1.`minor`, with right checksums."""
    data = bytearray(assemble(manifest, payload))
    data[9] = minor
    data[32:36] = struct.pack("<I", zlib.crc32(data[:32]))
    return bytes(data)


# --- looking into files -------------------------------------------------------------------------------------


def manifest_of(data: bytes) -> Manifest:
    container = open_container(data)
    container.close()
    return container.manifest


def decoder_of(data: bytes) -> Decoder:
    return Decoder(open_container(data))


def coders(data: bytes) -> tuple[list[int], list[int]]:
    """Of the masks, and of the blocks."""
    manifest = manifest_of(data)
    return [row.coder for row in manifest.masks], [row.coder for row in manifest.blocks]
