"""Prototypes that are made from a seed, as rows of the manifest (spec section 4.5, kind 1)."""

from __future__ import annotations

import struct

from ...errors import ManifestError
from ..cursor import Cursor, varint
from ..header import MAJOR
from .fields import read_scale
from .generated import (
    DISTRIBUTIONS,
    GENERATOR_ARRANGED,
    GENERATOR_DIALECTS,
    GENERATOR_MINOR,
    MAX_DRAWS,
    PYTORCH_BLOCK,
    PYTORCH_DISTRIBUTIONS,
    GeneratedRow,
    GeneratorRow,
    PytorchRow,
)
from .patches import read_patches, write_patches


def read_generator(cursor: Cursor, length: int, minor: int, what: str) -> GeneratedRow:
    """Return the bytes that follow kind and length."""
    generator = cursor.fixed(1, f"generator of {what}")
    if GENERATOR_MINOR.get(generator, minor + 1) > minor:
        raise ManifestError(f"{what} has the generator {generator}, which is unknown in format version {MAJOR}.{minor}")
    distribution = cursor.fixed(1, f"distribution of {what}")
    known = PYTORCH_DISTRIBUTIONS.get(generator, DISTRIBUTIONS)
    if distribution not in known:
        raise ManifestError(f"{what} has the unknown distribution {distribution}")
    if generator in PYTORCH_DISTRIBUTIONS:
        return _read_pytorch(cursor, generator, length, distribution, what)
    seed = cursor.fixed(8, f"seed of {what}")
    stream = cursor.fixed(8, f"stream of {what}")
    scale_bits = read_scale(cursor, what)
    period, zeros = length, 0
    if generator == GENERATOR_ARRANGED:
        period, zeros = cursor.varint(f"period of {what}"), cursor.varint(f"zeros of {what}")
        if not 1 <= period <= length:
            raise ManifestError(f"{what} has a period of {period} in {length} elements")
        if zeros >= period or (period == length and zeros == 0):
            raise ManifestError(f"{what} has {zeros} zeros in a period of {period}, and {length} elements")
    patches = read_patches(cursor, period, steps=False, what=what)
    digest = cursor.fixed(4, f"digest of {what}")
    return GeneratorRow(length, distribution, seed, stream, scale_bits, patches, digest, period, zeros)


def _read_pytorch(cursor: Cursor, generator: int, length: int, distribution: int, what: str) -> PytorchRow:
    kind = PYTORCH_DISTRIBUTIONS[generator][distribution]
    if kind.blocked and length < PYTORCH_BLOCK:
        raise ManifestError(f"{what} has {length} normal elements, and they are made {PYTORCH_BLOCK} at a time")
    seed = cursor.fixed(4, f"seed of {what}")
    offset = cursor.varint(f"offset of {what}")
    scale_bits = read_scale(cursor, what)
    low_bits = cursor.fixed(4, f"low of {what}") if kind.has_low else 0
    if low_bits & 0x7F800000 == 0x7F800000:
        raise ManifestError(f"{what} begins at no finite number")
    patches = read_patches(cursor, length, steps=generator == GENERATOR_DIALECTS, what=what)
    digest = cursor.fixed(4, f"digest of {what}")
    row = PytorchRow(generator, length, distribution, seed, offset, scale_bits, low_bits, patches, digest)
    if row.draws > MAX_DRAWS:
        raise ManifestError(f"{what} needs {row.draws} draws, and 2^40 are allowed")
    return row


def write_generator(row: GeneratedRow) -> bytes:
    """The bytes of `read_generator`."""
    if isinstance(row, PytorchRow):
        fields = struct.pack("<BBI", row.generator, row.distribution, row.seed) + varint(row.offset)
        fields += struct.pack("<I", row.scale_bits)
        fields += struct.pack("<I", row.low_bits) if row.kind.has_low else b""
    else:
        fields = struct.pack("<BBQQI", row.generator, row.distribution, row.seed, row.stream, row.scale_bits)
        fields += varint(row.period) + varint(row.zeros) if row.generator == GENERATOR_ARRANGED else b""
    patches = write_patches(row.patches, steps=row.generator == GENERATOR_DIALECTS)
    return fields + patches + struct.pack("<I", row.digest)
