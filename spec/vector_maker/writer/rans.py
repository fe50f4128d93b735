"""Mask coders 5 to 7 for the conformance vectors: sections 5.1 to 5.3 of the specification.

An encoder of its own in Python's integers, one byte at a time from the last to the first. What it is told to
make wrong it makes wrong; everything else it does is checked against the bounds that section 5.1 states.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from writer.coders import Bits, Number, pack, u, u8
from writer.writer import Mask

RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS = 5, 6, 7
END = TOTAL = 2**16  # every state in the end; the sum of all frequencies
MOST = 8192  # bytes a lane


@dataclass
class Coded:
    """A string of bytes as it stands in a payload; every field may be changed before it is built."""

    lanes: Number
    states: list[int]
    words: list[int]

    def build(self) -> bytes:
        """Return the bytes of the string."""
        out = u(self.lanes) + struct.pack(f"<{len(self.states)}I", *self.states)
        return out + struct.pack(f"<{len(self.words)}H", *self.words)


def rans(
    content: bytes,
    frequencies: Sequence[int],
    lanes: int = 1,
    *,
    ends: dict[int, int] | None = None,
    below: int | None = None,
) -> Coded:
    """Return the content under the frequencies, in so many lanes.

    `ends` replaces the last states of some lanes. `below` is a lane that gives a word away before its first
    byte although it need not, so that its state in the file is below 2^16; else a decoder sees no difference.
    """
    states = [(ends or {}).get(lane, END) for lane in range(lanes)]
    words = []
    for i in range(len(content) - 1, -1, -1):
        byte, lane = content[i], i % lanes
        f, smaller = frequencies[byte], sum(frequencies[:byte])
        after, x = states[lane], states[lane]
        if x // TOTAL >= f or i == below:
            words.append(x % TOTAL)
            x //= TOTAL
        states[lane] = x // f * TOTAL + smaller + x % f
        if not 1 <= x < 2**32 or not END <= after < 2**32 or (states[lane] < END) != (i == below):
            raise AssertionError("a state is out of the bounds of section 5.1, or not below 2^16 as it was to be")
    return Coded(lanes, states, words[::-1])


def byte_frequencies(q: int) -> list[int]:
    """Return F(0) … F(255) of section 5.2; also for a q of 0, which no file may have."""
    made = []
    for byte in range(256):
        ones = bin(byte).count("1")
        made.append(max(1, q**ones * (256 - q) ** (8 - ones) // 2**48))
    rest = 255 if q > 128 else 0
    made[rest] = TOTAL - sum(made[:rest]) - sum(made[rest + 1 :])
    return made


def gap_frequencies(t: int) -> list[int]:
    """Return F(0) … F(255) of section 5.3; also for a t of 0, which no file may have."""
    made: list[int] = []
    for v in range(255):
        left = TOTAL - sum(made)
        made.append(min(max(1, left * t // 256), left - 255 + v))
    return [*made, TOTAL - sum(made)]


def check_frequencies() -> None:
    """Check the statements of section 5.1 about all frequencies and states, for every q and t that a file may have."""
    for made in [table(number) for number in range(1, 256) for table in (byte_frequencies, gap_frequencies)]:
        if len(made) != 256 or sum(made) != TOTAL or min(made) < 1:
            raise AssertionError("frequencies below 1, or with another sum than 2^16")
        for f in made:
            # The least and the greatest state after a byte: floor(x / 2^16) is 1 … 2^16 - 1, r - C(v) is 0 … f - 1.
            least, most = f * 1 + 0, f * (TOTAL - 1) + f - 1
            if least < 1 or most >= 2**32 or min(least * TOTAL, END) < END or (END - 1) * TOTAL + TOTAL - 1 >= 2**32:
                raise AssertionError("a state may leave the bounds of section 5.1")


def bytes_payload(content: bytes, q: int, lanes: int = 1) -> bytes:
    """Return the payload of coder 5 for these bytes of raw."""
    return u8(q) + rans(content, byte_frequencies(q), lanes).build()


def gaps_of(positions: Iterable[int]) -> list[int]:
    """Return the gaps of ascending positions (section 5)."""
    return [b - a - 1 for a, b in pairwise([-1, *positions])]


def escaped(numbers: Iterable[int]) -> bytes:
    """Return numbers as coder 3 writes gaps."""
    return b"".join(b"\xff" * (number // 255) + bytes([number % 255]) for number in numbers)


def low_bits(numbers: Iterable[int], s: int) -> bytes:
    """Return the s low bits of each number, as bits in bytes."""
    return pack(np.array([number // 2**k % 2 for number in numbers for k in range(s)], dtype=np.bool_))


def gaps_head(gaps: Sequence[int], s: int, t: int) -> bytes:
    """Return the bytes before the rANS in the payload of coders 6 and 7."""
    return u8(s) + u8(t) + u(len(escaped(gap >> s for gap in gaps))) + low_bits(gaps, s)


def gaps_payload(gaps: Sequence[int], s: int, t: int, lanes: int = 1) -> bytes:
    """Return the payload of coders 6 and 7 for these gaps."""
    content = escaped(gap >> s for gap in gaps)
    return gaps_head(gaps, s, t) + rans(content, gap_frequencies(t), lanes).build()


def rans_mask(values: Bits, coder: int, *numbers: int) -> Mask:
    """Return a mask by coder 5 with q and the lanes, or by 6 or 7 with s, t and the lanes (one by default)."""
    if coder == RANS_BYTES:
        payload = bytes_payload(pack(values), *numbers)
    else:
        positions = np.flatnonzero(values == (coder == RANS_GAPS_OF_ONES))
        payload = gaps_payload(gaps_of(positions.tolist()), *numbers)
    return Mask(coder, len(values), int(values.sum()), payload)
