"""A `.pemn` file taken apart into the fields of its manifest and its sections, and put together again.

The fields are those that the second decoder reads, in its order: nothing here knows the tables but that decoder.
Whatever is changed, sizes and checksums follow, unless they are to be wrong.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import decoder as second
import numpy as np
import zstandard
from numpy.typing import NDArray
from writer.coders import frame, u, zstd

from .draws import integer, noise

MAGIC = second.MAGIC
ZSTD = b"\x28\xb5\x2f\xfd"
STORES: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "frame": frame, "zstd": zstd}
MOST_CONTENT = 1 << 20  # of a frame that is taken apart


@dataclass
class Field:
    """A number (`u`, or `fixed` of some bytes) or bytes (`str` with their length before them, `raw` without)."""

    kind: str
    value: int = 0
    data: bytes = b""
    width: int = 1

    def build(self) -> bytes:
        """The bytes of the field."""
        if self.kind == "u":
            return u(self.value)
        if self.kind == "fixed":
            return (self.value % (1 << 8 * self.width)).to_bytes(self.width, "little")
        return u(len(self.data)) + self.data if self.kind == "str" else self.data


class Recorder(second.Reader):
    """Reads a manifest for the second decoder, and keeps what it read, field by field."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "manifest", "manifest")
        self.fields: list[Field] = []
        self._inside = False

    def _keep(self, made: Field) -> None:
        if not self._inside:
            self.fields.append(made)

    def take(self, count: int) -> bytes:
        """Just bytes."""
        data = super().take(count)
        self._keep(Field("raw", data=data))
        return data

    def fixed(self, width: int) -> int:
        """A number of fixed width."""
        outside, self._inside = self._inside, True
        value = super().fixed(width)
        self._inside = outside
        self._keep(Field("fixed", value, width=width))
        return value

    def u8(self) -> int:
        """A byte."""
        return self.fixed(1)

    def u(self) -> int:
        """LEB128."""
        value = super().u()
        self._keep(Field("u", value))
        return value

    def numbers(self, count: int) -> NDArray[np.int64]:
        """Many of these."""
        values = super().numbers(count)
        for value in values.tolist():
            self._keep(Field("u", value))
        return values

    def string(self) -> str:
        """A string."""
        outside, self._inside = self._inside, True
        text = super().string()
        self._inside = outside
        self._keep(Field("str", data=text.encode()))
        return text


@dataclass
class Parts:
    """A file in pieces.

    Attributes:
        fields: of the manifest.
        sizes: which of them are the sizes of the sections.
        sections: the payloads of all masks and blocks.
        coders: of each section, and whether it is a mask's.
        header: fields of the header that are to be wrong, by name.
        store: how the manifest is stored: plain, or in a frame.
    """

    minor: int
    fields: list[Field]
    sizes: list[int]
    sections: list[bytes]
    coders: list[tuple[bool, int]] = field(default_factory=list)
    header: dict[str, int] = field(default_factory=dict)
    store: str = "plain"

    def build(self) -> bytes:
        """The file, with right checksums."""
        manifest = b"".join(one.build() for one in self.fields)
        stored = STORES[self.store](manifest)
        payload = b"".join(self.sections)
        numbers = {
            "major": 1,
            "minor": self.minor,
            "flags": 0,
            "manifest_size": len(stored),
            "manifest_length": len(manifest),
            "payload_size": len(payload),
        } | self.header
        pages = [zlib.crc32(payload[at : at + 65536]) for at in range(0, len(payload), 65536)]
        front = stored + struct.pack(f"<{len(pages)}I", *pages)
        widths = {"major": 1, "minor": 1, "flags": 2, "manifest_size": 4, "manifest_length": 4, "payload_size": 8}
        head = MAGIC + b"".join((numbers[n] % (1 << 8 * w)).to_bytes(w, "little") for n, w in widths.items())
        head += struct.pack("<I", zlib.crc32(front))
        return head + struct.pack("<I", zlib.crc32(head)) + front + payload

    def fit(self, index: int) -> None:
        """Make the manifest say the size that a section has."""
        self.fields[self.sizes[index]].value = len(self.sections[index])


def split(data: bytes) -> Parts:
    """The pieces of a valid file; DecodeError if header or manifest break a rule."""
    size, length, payload_size = struct.unpack_from("<IIQ", data, 12)
    stored = data[36 : 36 + size]
    if length > 1 << 24 or payload_size > len(data):
        raise second.DecodeError("manifest", "not the header of a valid file")
    plain = stored if size == length else second.unzstd(stored, "manifest", "manifest", length)
    reader = Recorder(plain)
    manifest = second.read_manifest(reader, data[9], payload_size)
    masks, blocks = len(manifest.masks), len(manifest.blocks)
    # metadata and tasks are counts and strings; then the columns of masks, then those of blocks
    first = 1 + 2 * len(manifest.metadata) + 1 + len(manifest.tasks)
    of_masks = first + 1 + 3 * masks
    of_blocks = of_masks + masks + 1 + 2 * blocks
    sizes = [*range(of_masks, of_masks + masks), *range(of_blocks, of_blocks + blocks)]
    payload = data[len(data) - payload_size :]
    rows: list[second.Mask | second.Block] = [*manifest.masks, *manifest.blocks]
    sections = [payload[row.offset : row.offset + row.size] for row in rows]
    coders = [(number < masks, row.coder) for number, row in enumerate(rows)]
    return Parts(data[9], reader.fields, sizes, sections, coders, store="plain" if size == length else "zstd")


# --- mutations ------------------------------------------------------------------------------------------------


def mutate(parts: Parts, rng: Random) -> bytes:
    """A file with a few things changed; most of the time all sizes and checksums agree."""
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
        kind = rng.randrange(16)
        if kind < 7:
            _change_field(parts, rng)
        elif kind < 11 and parts.sections:
            _change_section(parts, rng)
        elif kind == 11 and len(parts.sections) > 1:
            one, two = rng.sample(range(len(parts.sections)), 2)
            parts.sections[one], parts.sections[two] = parts.sections[two], parts.sections[one]
            parts.fit(one)
            parts.fit(two)
        elif kind == 12:
            parts.minor = rng.choice([*range(7), 255])
        elif kind == 13:
            parts.store = rng.choice(["plain", "frame", "zstd"])
        elif kind == 14:
            name = rng.choice(["major", "flags", "manifest_size", "manifest_length", "payload_size"])
            parts.header[name] = integer(rng, 36)
        else:
            _move_field(parts, rng)
    made = parts.build()
    last = rng.randrange(40)
    if last == 0:
        return noise(made, rng)
    if last == 1:
        return made[: rng.randrange(len(made) + 1)]
    return made + rng.randbytes(rng.randrange(1, 9)) if last == 2 else made


def _change_field(parts: Parts, rng: Random) -> None:
    at = rng.randrange(len(parts.fields))
    if parts.fields[at].kind in ("str", "raw") and rng.randrange(3):
        at = rng.randrange(len(parts.fields))
    one = parts.fields[at]
    if one.kind in ("str", "raw"):
        one.data = noise(one.data, rng)
        if rng.randrange(3) == 0:
            one.data = rng.choice([b"", b"\0", b"a" * 1025, b"\xff", b"\xed\xa0\x80", b"pemn.base", b"w"])
        return
    same = [other.value for other in parts.fields if other.kind == one.kind and other.width == one.width]
    if one.kind == "u" and rng.randrange(30) == 0:  # needless bytes, or too many
        parts.fields[at] = Field(
            "raw", data=rng.choice([u(one.value)[:-1] + b"\x80\0", b"\xff" * 9 + b"\x01", b"\x80"])
        )
    elif one.kind == "fixed" and one.width == 1 and rng.randrange(2):
        one.value = rng.randrange(24)
    elif one.kind == "fixed" and one.width > 1 and rng.randrange(2):
        bits = [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x80000000, 0xFFFFFFFF]
        one.value = rng.choice([*bits, 1 << 63, (1 << 64) - 1, rng.randrange(1 << 8 * one.width)])
    else:
        one.value = min(integer(rng, one.value, same), (1 << 64) - 1)


def _move_field(parts: Parts, rng: Random) -> None:
    """Take a field out, double it, or let two change places; the sizes of sections stay where they are."""
    last = max(parts.sizes, default=-1) + 1
    if last >= len(parts.fields):
        return
    one, two = rng.randrange(last, len(parts.fields)), rng.randrange(last, len(parts.fields))
    kind = rng.randrange(3)
    if kind == 0:
        del parts.fields[one]
    elif kind == 1:
        same = parts.fields[one]
        parts.fields.insert(two, Field(same.kind, same.value, same.data, same.width))
    else:
        parts.fields[one], parts.fields[two] = parts.fields[two], parts.fields[one]


def _change_section(parts: Parts, rng: Random) -> None:
    at = rng.randrange(len(parts.sections))
    parts.sections[at] = section(parts.sections[at], rng)
    if rng.randrange(12):
        parts.fit(at)


def section(data: bytes, rng: Random) -> bytes:
    """The payload of a mask or a block changed: its bytes, or what a frame in it holds."""
    at = data.find(ZSTD)
    if at < 0 or rng.randrange(3) == 0:
        return noise(data, rng)
    try:
        if not 0 <= zstandard.frame_content_size(data[at:]) <= MOST_CONTENT:
            return noise(data, rng)
        stream = zstandard.ZstdDecompressor().decompressobj()
        content = stream.decompress(data[at:])
        rest = stream.unused_data
    except zstandard.ZstdError:
        return noise(data, rng)
    other = noise(content, rng) if rng.randrange(4) else content
    kind = rng.randrange(6)
    if kind == 0:
        made = frame(other, declared=max(0, integer(rng, len(other)) % (1 << 32)), size_field=4)
    elif kind == 1:
        made = frame(other, window=rng.choice([0, 8, 0x88, 0x90, 0xFF]), size_field=4)
    elif kind == 2:
        made = zstd(other, checksum=True)
        made = made[:-1] + bytes([made[-1] ^ (rng.randrange(4) == 0)])
    elif kind == 3:
        made = zstd(other, level=rng.choice([1, 9, 19]))
    else:
        made = frame(other)
    # where the frame's size stands before it, that is one byte in small files
    size_at = at - 1
    whole = data[:at] + made + rest
    if size_at >= 0 and len(data) - len(rest) - at == data[size_at] and len(made) < 128:
        whole = data[:size_at] + bytes([len(made)]) + made + rest
    return whole
