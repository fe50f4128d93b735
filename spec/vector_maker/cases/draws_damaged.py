"""The invalid vectors for generators 3 and 4: sections 3, 4.5, 4.7, 6.2, 7, 8.4, 8.6, 8.8 and 8.9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from writer import dialects, drawn, numbers
from writer.coders import Number, frame, zstd_block
from writer.dialects import LOW, SCALE, UNIFORM
from writer.drawn import rounded
from writer.writer import Dialect, File

from cases.content import INFINITY, LARGEST, MINUS, ONE, TWO, Array
from cases.draws import F3, F4, THIRD, Family, bits_of, by_4, is_infinite, not_remade
from cases.files import Made, layered
from cases.rows import edited, put
from cases.valid import demand

MOST_DRAWS = 1 << 40
SEED = 90  # of the prototype that most rows are defects of
LOWS = {"infinity": INFINITY, "minus_infinity": INFINITY | MINUS, "nan": 0x7FC00000, "minus_nan": 0xFFC00000}
LOWS |= {"signalling_nan": 0x7F800001, "largest_nan": 0xFFFFFFFF}
# Name, distribution, scale and low of prototypes with infinite elements.
INFINITE = {
    f.prefix: [(f.names[d], d, LARGEST, 0x7F000000) for d in f.lows]
    + [(f"{f.names[f.uniform]}_rounded", f.uniform, 0x73800000, LARGEST)]
    + [(name, d, LARGEST, 0) for d, name in f.names.items() if name.startswith("normal") and "signs" not in name]
    for f in (F3, F4)
}


def plain(f: Family, distribution: int, *edits: Any, offset: int = 2) -> File:
    """Return a file of one prototype, edited."""
    return edited(layered(f.make(distribution, SEED, offset, ONE, 20), minor=f.minor), *edits)


def of_row(f: Family, distribution: int, /, **fields: Any) -> File:
    """Return that file with other fields in the row of the prototype."""
    return plain(f, distribution, put("prototypes", 0, **fields))


def cut(file: File, after: int, by: int | None = None) -> File:
    """Return the file without what is `after` bytes behind the beginning of the seed: `by` bytes, or all."""
    at = file.manifest().index(SEED.to_bytes(4, "little")) + after
    file.edit_manifest = lambda plain: plain[:at] + (b"" if by is None else plain[at + by :])
    return file


# --- digests ------------------------------------------------------------------------------------------------


def with_digest_of(right: Made, wrong: Array) -> File:
    """Return a file of a prototype with the digest of other values."""
    prototype, made = right
    demand(numbers.digest(wrong) != prototype.digest, "the digest is right")
    prototype.digest = numbers.digest(wrong)
    return layered((prototype, made), minor=int(prototype.generator) + 1)


def no_zero(right: Made, bits: int = MINUS) -> File:
    """Return a file of a prototype with the digest where the first element is something else than +0.0."""
    demand(right[1][0] == 0, "not +0.0")
    return with_digest_of(right, np.array([bits, *right[1][1:]], "<u4"))


def no_minus_zero(right: Made) -> File:
    """Return a file of a prototype with the digest where -0.0 is +0.0."""
    return with_digest_of(right, np.where(right[1] == MINUS, np.uint32(0), right[1]))


def right(f: Family, d: int, seed: int = 92, offset: int = 5, length: int = 20) -> Made:
    """Return a prototype that is right: of generator 3 with a patch."""
    if f is F4:
        return f.make(d, seed, offset, SCALE, length, low=LOW)
    return f.make(d, seed, offset, THIRD, length, {2: TWO})


def wrong(f: Family, d: int, values: Array) -> File:
    """Return a file of such a prototype with the digest of other values, but that they are patched as well."""
    values[[2] if f is F3 else []] = TWO
    return with_digest_of(right(f, d, length=len(values)), values)


def half_fused(offset: int, of_log: drawn.MultiplyAdd, of_turns: drawn.MultiplyAdd) -> File:
    """Return a file of a prototype with nothing fused, with the digest where something is; of a draw that shows it."""
    mixed = drawn.sixteen(drawn.draws(187, offset, 16), of_log, of_turns)
    return with_digest_of(by_4(dialects.NORMAL_UNFUSED, 187, offset, ONE, 16), bits_of(mixed))


def by_binary32(seed: int, offset: int, length: int) -> Array:
    """Return elements of the C library if t were a product in binary32, as in section 8.8."""

    def sixteen(x: Sequence[int]) -> list[Fraction]:
        v = [drawn.fraction(draw) for draw in x]
        radii = [drawn.root(rounded(-2 * dialects.ln(1 - v[j]))) for j in range(8)]
        turned = [dialects.sine_and_cosine(rounded(drawn.TWO_PI * v[j + 8])) for j in range(8)]
        return [rounded(radii[j] * turned[j][of_sine]) for of_sine in (1, 0) for j in range(8)]

    return bits_of(drawn.normal_numbers(seed, offset, length, sixteen), SCALE)


def infinite(f: Family, d: int, size: int, low: int, *, patched: bool = False) -> File:
    """Return a file of a prototype with infinite elements, some or all of which patches make finite."""
    reached = is_infinite(f.make(d, 94, 7, size, 20, low=low)[1])
    demand(reached.any() and not reached.all(), "no element or every one is infinite")
    patches = {int(i): ONE if f is F3 else 1 for i in np.flatnonzero(reached) if patched}
    return layered(f.make(d, 94, 7, size, 20, patches, low), minor=f.minor)


def infinite_part(f: Family, d: int, seed: int, last: bool) -> File:
    """Return a normal prototype of 17 elements whose only infinite ones are the first, or made again."""
    made = f.make(d, seed, 0, 0x7EFFFFFF, 17)
    first, *others = is_infinite(made[1])
    demand(first != last and any(others) == last, "other elements are infinite")
    demand(not last or not is_infinite(not_remade(made)[:16]).any(), "they were infinite before they were made again")
    return layered(made, minor=f.minor)


def of_both(f: Family, of_3: int, of_f: int) -> File:
    """Return a file of prototypes of one seed, two of them from these offsets."""
    normal = F3.make(drawn.NORMAL, 91, of_3, ONE, 16), f.make(f.normal, 91, of_f, ONE, 17)
    return layered(F3.make(drawn.UNIFORM, 91, 0, ONE, 20), *normal, minor=f.minor)


def not_idle(made: Made, zero: int) -> File:
    """Return a file of a layer that has a bit for every element."""
    n = len(made[1])
    demand((made[1] == 0).any(), "no element is idle")
    fields = put("masks", 0, length=n, ones=n), put("entries", 0, zero=zero)
    return edited(layered(made, minor=int(made[0].generator) + 1), *fields)


def idle_minus_zero() -> File:
    """Return a file of a layer that has no bits for elements of -0.0."""
    made = F3.make(drawn.UNIFORM, 77, 0, 1, 24, low=MINUS | 1)
    active = int(np.count_nonzero(made[1] & ~np.uint32(MINUS)))
    demand(active < 24 and made[1].all(), "no -0.0")
    return edited(layered(made, minor=4), put("masks", 0, length=active, ones=active))


# --- steps: sections 1, 4.5, 8.6 and 8.9 --------------------------------------------------------------------


def with_steps(
    d: int, steps: Mapping[int, Number], gaps: Sequence[Number] | None = None, count: Number | None = None
) -> File:
    """Return a file of one prototype with these steps; the digest is that without them."""
    prototype, made = by_4(d, SEED, 2, ONE, 20)
    assert isinstance(prototype, Dialect)
    prototype.patches, prototype.gaps, prototype.count = steps, gaps, count
    return layered((prototype, made), minor=5)


def step_but(d: int, steps: dict[int, int], index: int, bits: int) -> File:
    """Return a file of a prototype with a step, and with the digest where another element stands at an index."""
    made = by_4(d, SEED, 2, ONE, 20, steps)
    return with_digest_of(made, np.where(np.arange(20) == index, np.uint32(bits), made[1]))


ZEROS = (1 << 24) - 512


def hostile(count: int) -> File:
    """Return a small file of a long manifest of almost nothing but zeros, in a frame of runs, with so many patches."""
    file = with_steps(UNIFORM, {}, [bytes(ZEROS)], count)
    file.prototypes[0].length = 1 << 24

    def store(plain: bytes) -> bytes:
        at = plain.index(bytes(ZEROS))
        whole, rest = divmod(ZEROS, 1 << 17)
        runs = [zstd_block(1, size, b"\0", False) for size in [1 << 17] * whole + [rest]]
        ends = zstd_block(0, at, plain[:at], False), zstd_block(0, len(plain) - at - ZEROS, plain[at + ZEROS :])
        return frame(plain, blocks=ends[0] + b"".join(runs) + ends[1])

    file.store = store
    return file
