"""Rows of every generator, with the digests of what the second decoder makes of them."""

from __future__ import annotations

from random import Random

import decoder as second
from writer.writer import Dialect, Drawn, Generator

SCALES = (1, 0x00800000, 0x3D000000, 0x3F800000, 0x3F8CCCCD, 0x41200000, 0x7F000000, 0x7F7FFFFF)


def generator_of(rng: Random, length: int) -> Generator | Drawn:
    """A row of any generator, with the digest of what the second decoder makes of it."""
    generator = rng.choice([1, 1, 2, 3, 4])
    scale = rng.choice([*SCALES, rng.randrange(1, 0x7F800000)])
    count = rng.choice([0, 0, 0, 1, 2, 5])
    indices = rng.sample(range(length), min(count, length))
    words = {at: rng.choice([0, 0x80000000, 0x7FC00001, rng.randrange(1 << 32)]) for at in indices}
    row: Generator | Drawn
    if generator <= 2:
        row = Generator(length, rng.randrange(1, 4), _word(rng), _word(rng), scale, words, generator=generator)
        if generator == 2:
            row.period = rng.randrange(1, length + 1)
            row.zeros = rng.randrange(row.period)
            if row.period == length and not row.zeros:  # nothing to arrange
                row.generator, row.period, row.zeros = 1, None, None
            row.patches = {at % (row.period or length): bits for at, bits in words.items()}
    else:
        names = second.DRAWN[generator]
        chosen = rng.randrange(len(names))
        low = (
            rng.choice([0, 0x80000000, 0xBF000000, rng.randrange(0x7F800000)]) if names[chosen] in second.LOW else None
        )
        offset = rng.choice([0, 0, 1, 8, 623, 624, 1000, rng.randrange(4000)])
        kind = Drawn if generator == 3 else Dialect
        if names[chosen] in second.SIXTEENS:
            length = max(length, 16)
        row = kind(length, chosen + 1, rng.randrange(1 << 32), offset, scale, low)
        row.patches = dict(words) if generator == 3 else {at: bits or 1 for at, bits in words.items()}
    row.digest = digest_of(row)
    return row


def _word(rng: Random) -> int:
    return rng.choice([0, 1, (1 << 64) - 1, rng.randrange(1 << 64)])


def digest_of(row: Generator | Drawn) -> int:
    """The CRC-32 of the elements of a row, or 0 if it has none."""
    manifest = second.Manifest(second.MINOR)
    reader = second.Reader(row.row(), "manifest", "row")
    try:
        parsed = second.read_prototype(reader, manifest)
        sums: list[int] = []
        parsed.digest = _Sum(sums)
        second.generate(parsed, lambda seed: second.mersenne_twister(seed, parsed.draws), "row")
    except second.DecodeError:
        return 0
    return sums[0]


class _Sum(int):
    """Agrees with any digest that it is compared with, and keeps it."""

    _found: list[int]

    def __new__(cls, found: list[int]) -> _Sum:
        made = super().__new__(cls)
        made._found = found
        return made

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            self._found.append(int(other))
        return True

    __hash__ = int.__hash__
