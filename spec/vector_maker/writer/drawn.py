"""Section 8.8 of the specification in exact integers and fractions, for the conformance vectors.

No floating-point operation takes part. A binary32 number is the fraction that it is; the sign of a zero matters
nowhere but in an element, where what is exactly 0 becomes +0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import isqrt

import numpy as np

from writer.numbers import WORD, Bits, Patches, binary32, exact, words

UNIFORM, NORMAL, UNIFORM_SIGNS, NORMAL_SIGNS = 1, 2, 3, 4
MINUS, ONE = 0x80000000, 0x3F800000
DRAWS_KNOWN = (3499211612, 581869302, 3890346734, 3586334585)  # of seed 5489
# Distribution, seed, offset; the first element told; elements. All of length 20, scale 1.0, low -0.5.
KNOWN = (
    (UNIFORM, 0, 0, 0, "BB755400 3E89545E BED2B316 BEBC6680"),
    (NORMAL, 0, 0, 0, "BF901B85 BF93808A BE804BD6 BEDE255D 3F194D8B BFC70D5B"),
    (NORMAL, 0, 0, 16, "3F6E8C30 3FA12737 4000519A 3D5C1B3A"),
    (UNIFORM, 0, 1000, 0, "BD2E1D90 BEC7A62C BB498500 BED47DC8"),
    (NORMAL, 0, 1000, 0, "BF4BD34A BEA11658 BF815119 BEBB1712 BF592BB5 3EB9B896"),
    (NORMAL, 0, 1000, 16, "3E8CCB50 3E4C100C 3DDF76E1 BF57CEBE"),
    (UNIFORM, WORD, 0, 0, "3EFCD346 3D920910 3D8F6060 BEE6A772"),
    (NORMAL, WORD, 0, 0, "C02A83DA BF8BA77B 3EE7241E 3E69D763 3E9CC8C4 3ED916EC"),
    (NORMAL, WORD, 0, 16, "3FCFEBCA BF8E8FDE 3F27DF17 BF9AD721"),
    (UNIFORM, WORD, 1000, 0, "BEF7F19E 3EB62B70 BEFAA46C 3D8680C0"),
    (NORMAL, WORD, 1000, 0, "3D701F33 BFF6A4EA 3B7BF923 3FA06EC4 3FB34312 3F2DB3A9"),
    (NORMAL, WORD, 1000, 16, "3F2258E6 3D550E97 BFC26FAA BFA7F97F"),
)


def tempered(y: int) -> int:
    """Return the draw of a word of the state."""
    y ^= y >> 11
    y ^= y << 7 & 0x9D2C5680
    y ^= y << 15 & 0xEFC60000
    return y ^ y >> 18


class Twister:
    """MT19937 of a seed, with all its draws so far."""

    def __init__(self, seed: int) -> None:
        self.state = [seed]
        for i in range(1, 624):
            before = self.state[-1]
            self.state.append((1812433253 * (before ^ before >> 30) + i) & WORD)
        self.draws: list[int] = []

    def more(self) -> None:
        """Make 624 draws more."""
        s = self.state
        for i in range(624):
            y = s[i] & 0x80000000 | s[(i + 1) % 624] & 0x7FFFFFFF
            s[i] = s[(i + 397) % 624] ^ y >> 1 ^ (0x9908B0DF if y % 2 else 0)
        self.draws += map(tempered, s)


twister = cache(Twister)


def draws(seed: int, offset: int, count: int) -> list[int]:
    """Return x(offset) … x(offset + count - 1)."""
    source = twister(seed)
    while len(source.draws) < offset + count:
        source.more()
    return source.draws[offset : offset + count]


def signed(value: Fraction) -> int:
    """Return the bits of a number rounded to binary32: +0.0 of 0, but the sign of what rounds to zero stays."""
    return binary32(abs(value)) | (MINUS if value < 0 else 0)


def number(bits: int) -> Fraction:
    """Return the number of these bits."""
    return -exact(bits & ~MINUS) if bits & MINUS else exact(bits)


def rounded(value: Fraction) -> Fraction:
    """Return the binary32 number nearest to this."""
    return number(signed(value))


def root(value: Fraction) -> Fraction:
    """Return the square root of a binary32 number that is not below 2^-60, rounded; of 0 it is 0."""
    scaled = value * 4**100
    if scaled.denominator != 1:
        raise ValueError("too small")
    half = isqrt(scaled.numerator)
    return rounded(Fraction(2 * half + (half * half != scaled.numerator), 2**101))


P = [number(bits) for bits in (0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF)]
P += [number(bits) for bits in (0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA)]
SQRT_HALF, LOG_LOW, LOG_HIGH = number(0x3F3504F3), number(0xB95E8083), number(0x3F318000)
TWO_PI, FOUR_BY_PI = number(0x40C90FDB), number(0x3FA2F983)
PARTS = [number(bits) for bits in (0xBF490000, 0xB97DA000, 0xB3222169)]
COSINE = [number(bits) for bits in (0x37CCF5CE, 0xBAB6061A, 0x3D2AAAA5)]
SINE = [number(bits) for bits in (0xB94CA1F9, 0x3C08839E, 0xBE2AAAA3)]
HALF = Fraction(1, 2)


def fma(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    """Return a × b + c rounded once."""
    return rounded(a * b + c)


MultiplyAdd = Callable[[Fraction, Fraction, Fraction], Fraction]


def logarithm(x: Fraction, add: MultiplyAdd = fma) -> Fraction:
    """Return log(x), where `add` is fma, or what section 8.9 has instead."""
    e = x.numerator.bit_length() - x.denominator.bit_length() + 1
    m = x / Fraction(2) ** e
    if m >= 1 or m < HALF:  # the denominator is a power of two, the numerator of any size
        e += 1 if m >= 1 else -1
        m = x / Fraction(2) ** e
    f = rounded(m - 1)
    if m < SQRT_HALF:
        e, f = e - 1, rounded(f + m)
    z = rounded(f * f)
    p = P[0]
    for c in P[1:]:
        p = add(p, f, c)
    p = rounded(p * f)
    p = add(p, z, rounded(e * LOG_LOW))
    p = rounded(p - rounded(z * HALF))
    return add(Fraction(e), LOG_HIGH, rounded(f + p))


def sine_and_cosine(t: Fraction, add: MultiplyAdd = fma) -> tuple[Fraction, Fraction]:
    """Return sin(t), cos(t), where `add` is likewise."""
    q = int(rounded(t * FOUR_BY_PI))
    n = q + 1 if q % 2 else q
    a = t
    for part in PARTS:
        a = add(Fraction(n), part, a)
    z = rounded(a * a)
    c = rounded(add(add(COSINE[0], z, COSINE[1]), z, COSINE[2]) * z)
    c = rounded(add(c, z, -rounded(z * HALF)) + 1)
    s = rounded(add(add(SINE[0], z, SINE[1]), z, SINE[2]) * z)
    s = add(s, a, a)
    sine, cosine = (s, c) if n % 4 == 0 else (c, s)
    return -sine if n % 8 in (4, 6) else sine, -cosine if n % 8 in (2, 4) else cosine


def fraction(draw: int) -> Fraction:
    """Return U of a draw."""
    return Fraction(draw % (1 << 24), 1 << 24)


def sixteen(drawn: Sequence[int], of_log: MultiplyAdd = fma, of_turns: MultiplyAdd = fma) -> list[Fraction]:
    """Return the sixteen numbers that sixteen draws make; what stands for fma in log, and in sin and cos."""
    v = [fraction(draw) for draw in drawn]
    by_cosine, by_sine = [], []
    for j in range(8):
        r = root(rounded(-2 * logarithm(1 - v[j], of_log)))
        sine, cosine = sine_and_cosine(rounded(TWO_PI * v[j + 8]), of_turns)
        by_cosine.append(rounded(r * cosine))
        by_sine.append(rounded(r * sine))
    return by_cosine + by_sine


def normal_numbers(
    seed: int,
    offset: int,
    length: int,
    make: Callable[[Sequence[int]], list[Fraction]] = sixteen,
    *,
    remade: bool = True,
) -> list[Fraction]:
    """Return the numbers of a normal distribution, of which `make` makes sixteen.

    Unless `remade` the last full sixteen stay as they are made at first.
    """
    x = draws(seed, offset, length + 16)
    made = [value for i in range(0, length - 15, 16) for value in make(x[i : i + 16])]
    if length % 16:
        last = make(x[length:])
        made = made[: length - 16] + last if remade else made + last[16 - length % 16 :]
    return made


def elements(
    distribution: int, seed: int, offset: int, scale: int, length: int, patches: Patches | None = None, *, low: int = 0
) -> Bits:
    """Return all elements as bits, patches applied (4.5, 8.8); scale and low as bits."""
    size = number(scale)
    if distribution in (NORMAL, NORMAL_SIGNS):
        values = normal_numbers(seed, offset, length)
        made = [signed(value * size) for value in values]
    else:
        values = [fraction(x) - HALF for x in draws(seed, offset, length)]
        made = [signed((value + HALF) * size + number(low)) for value in values]
    if distribution in (UNIFORM_SIGNS, NORMAL_SIGNS):
        made = [0 if value == 0 else scale | (MINUS if value < 0 else 0) for value in values]
    for index, bits in (patches or {}).items():
        made[index] = bits
    return np.array(made, dtype="<u4")


def check_known_draws() -> None:
    """Compare with the known answers in section 8.8."""
    if draws(5489, 0, 4) != list(DRAWS_KNOWN):
        raise AssertionError("MT19937 differs from its known answers")
    for distribution, seed, offset, first, text in KNOWN:
        told = words(text)
        made = elements(distribution, seed, offset, ONE, 20, low=MINUS | 0x3F000000)
        if made[first : first + len(told)].tolist() != told:
            raise AssertionError("generator 3 differs from its known answers")
