"""Spec sections 5.1 to 5.3 from the encoder's side, byte after byte in Python's integers."""

from __future__ import annotations

import struct

from .networks import u


def byte_frequencies(q: int) -> list[int]:
    """Section 5.2."""
    table = [max(1, q ** v.bit_count() * (256 - q) ** (8 - v.bit_count()) // 2**48) for v in range(256)]
    top = 0 if q <= 128 else 255
    table[top] = 0
    table[top] = 65536 - sum(table)
    return table


def gap_frequencies(t: int) -> list[int]:
    """Section 5.3."""
    rest, table = 65536, []
    for v in range(255):
        table.append(min(max(1, rest * t // 256), rest - 255 + v))
        rest -= table[-1]
    return [*table, rest]


def encode(content: bytes, frequencies: list[int], lanes: int | None = None) -> bytes:
    """Section 5.1, from the number of lanes on: the decoder's steps backwards, last byte first."""
    lanes = lanes or max(1, -(-len(content) // 5000))
    starts = [sum(frequencies[:v]) for v in range(256)]
    states, words = [65536] * lanes, []
    for i in reversed(range(len(content))):
        x, f = states[i % lanes], frequencies[content[i]]
        if x >= f << 16:
            words.append(x & 0xFFFF)
            x >>= 16
        states[i % lanes] = (x // f << 16) + x % f + starts[content[i]]
    return u(lanes) + struct.pack(f"<{lanes}I{len(words)}H", *states, *reversed(words))


def encode_gaps(positions: list[int], s: int, t: int, lanes: int | None = None) -> bytes:
    """Section 5.3, the whole payload."""
    before, low, stream = -1, 0, b""
    for number, position in enumerate(positions):
        gap, before = position - before - 1, position
        low |= gap % 2**s << number * s
        stream += b"\xff" * ((gap >> s) // 255) + bytes([(gap >> s) % 255])
    stored = low.to_bytes(-(-len(positions) * s // 8), "little")
    return bytes([s, t]) + u(len(stream)) + stored + encode(stream, gap_frequencies(t), lanes)
