"""Section 8 of the specification in exact integers and fractions, for the conformance vectors.

No floating-point operation takes part, so nothing depends on hardware, compilers or libraries.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint32]
Patches = Mapping[int, int]
SIGNED_CONSTANT, UNIFORM, NORMAL = 1, 2, 3
INFINITY, WORD = 0x7F800000, 0xFFFFFFFF


def words(text: str) -> list[int]:
    """Return numbers that are written in hexadecimal."""
    return [int(number, 16) for number in text.split()]


TABLE = words((Path(__file__).parents[2] / "normal-table.txt").read_text())
# Counter, key; result.
PHILOX_KNOWN = (
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
)
LARGE = 0x0123456789ABCDEF, 0xFEDCBA9876543210
# Seed, stream, length, period, zeros; elements.
ARRANGED_KNOWN = (
    (0, 0, 6, 6, 2, "BE4EC0BC 3F42D38B 3EF15EB2 00000000 00000000 BE8D37FE"),
    (0, 0, 8, 3, 0, "BE4EC0BC BE4EC0BC 3F42D38B 3F42D38B BE4EC0BC 3EF15EB2 3EF15EB2 3F42D38B"),
    (*LARGE, 8, 5, 2, "3F6D36B3 3F6D36B3 00000000 3EBBCAB6 00000000 00000000 3EBBCAB6 3F585567"),
)


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Return Philox4x32-10 (8.1)."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        h0, l0 = divmod(0xD2511F53 * c0, 1 << 32)
        h1, l1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return [c0, c1, c2, c3]


def word(seed: int, stream: int, index: int) -> int:
    """Return x(i) of section 8.1."""
    block = index // 4
    counter = [block & WORD, block >> 32, stream & WORD, stream >> 32]
    return philox(counter, [seed & WORD, seed >> 32])[index % 4]


def binary32(value: Fraction) -> int:
    """Return the bits of a number that is not negative, rounded to nearest even as a binary32 (8.4)."""
    if value == 0:
        return 0
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value < Fraction(2) ** exponent:
        exponent -= 1
    exponent = max(exponent, -126)  # below that the numbers are subnormal
    steps = round(value / Fraction(2) ** (exponent - 23))  # of a Fraction: ties go to even
    # A normal number has 2^23 <= steps <= 2^24; at 2^24 the sum carries into the exponent, as it must.
    return min(steps + ((exponent + 126) << 23), INFINITY)


def exact(bits: int) -> Fraction:
    """Return the magnitude of a finite binary32."""
    exponent, fraction = bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        raise ValueError("not finite")
    return Fraction(fraction | (exponent > 0) << 23) * Fraction(2) ** (max(exponent, 1) - 150)


def multiply(a: int, b: int) -> int:
    """Return the binary32 product of two finite numbers, given and returned as bits (8.4)."""
    return (a ^ b) & 0x80000000 | binary32(exact(a) * exact(b))


def element(distribution: int, seed: int, stream: int, scale: int, index: int) -> int:
    """Return one element of a generated prototype, before patches, as bits; scale as bits (8.2, 8.3)."""
    x = word(seed, stream, index)
    if distribution == SIGNED_CONSTANT:
        return scale | (x >> 31) << 31
    if distribution == UNIFORM:
        v = 2 * (x >> 8) + 1 - (1 << 24)
        return multiply((v < 0) << 31 | binary32(Fraction(abs(v), 1 << 24)), scale)
    t = 2 * (x & 0x7FFFFFFF) + 1
    e = 32 - t.bit_length()
    y = t << e
    j = 32 * (31 - e) + (y >> 26) % 32
    f = y % (1 << 26)
    z = TABLE[j] - (TABLE[j] - TABLE[j + 1]) * f // (1 << 26)
    r = binary32(Fraction(z))
    return multiply(binary32(exact(r) / (1 << 28)), scale) | (x >> 31) << 31


def elements(
    distribution: int, seed: int, stream: int, scale: int, length: int, patches: Patches | None = None
) -> Bits:
    """Return all elements of a generated prototype as bits, patches applied (4.5)."""
    made = np.array([element(distribution, seed, stream, scale, i) for i in range(length)], dtype="<u4")
    for index, bits in (patches or {}).items():
        made[index] = bits
    return made


def order(seed: int, stream: int, count: int) -> list[int]:
    """Return order(s, n) of section 8.7."""
    return sorted(range(count), key=lambda i: (word(seed, stream, i), i))


def arranged(
    kind: int, seed: int, stream: int, scale: int, length: int, period: int, zeros: int, patches: Patches | None = None
) -> Bits:
    """Return all elements of a prototype of generator 2 as bits (8.7)."""
    values = elements(kind, seed, stream, scale, period, patches)
    values[order(seed, stream ^ 1 << 63, period)[:zeros]] = 0
    if length == period:
        return values
    return np.array([values[place % period] for place in order(seed, stream ^ 1 << 62, length)], dtype="<u4")


def digest(values: Bits) -> int:
    """Return the digest of a prototype (4.5)."""
    return zlib.crc32(values.astype("<u4").tobytes())


def check_known_answers() -> None:
    """Compare with the known answers in sections 1, 8.1, 8.3 and 8.7."""
    for counter, key, result in PHILOX_KNOWN:
        if philox(words(counter), words(key)) != words(result):
            raise AssertionError("Philox4x32-10 differs from its known answers")
    for seed, stream, length, period, zeros, text in ARRANGED_KNOWN:
        if arranged(UNIFORM, seed, stream, 0x3F800000, length, period, zeros).tolist() != words(text):
            raise AssertionError("arranged values differ from their known answers")
    if zlib.crc32(b"123456789") != 0xCBF43926 or digest(np.array(TABLE, dtype="<u4")) != 0xAFA18D14:
        raise AssertionError("the normal table or CRC-32 differs from the specification")
