"""Section 8.9 of the specification in exact integers and fractions, for the conformance vectors.

No floating-point operation takes part. A binary32 or binary64 number is the fraction that it is; as in section 8.8,
which this goes on from, the sign of a zero matters nowhere but in an element.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

import numpy as np

from writer import drawn as drawing
from writer.drawn import MINUS, ONE, draws, fraction, number, root, rounded, signed
from writer.numbers import WORD, Bits, Patches, words

UNIFORM, UNIFORM_TWICE, NORMAL, NORMAL_OF_C, NORMAL_UNFUSED = 1, 2, 3, 4, 5
SCALE, LOW = 0x3D924925, 0xBD124925  # of the known answers for the uniform
# Distribution, seed, offset; the first element told; elements. All of length 20, the normal ones of scale 1.0.
KNOWN = (
    (UNIFORM_TWICE, 0, 0, 0, "B98C3000 3C9CF2B6 BCF0CCAC BCD75093"),
    (NORMAL_OF_C, 0, 0, 0, "BF901B85 BF93808A BE804BD6 BEDE255E 3F194D8B BFC70D5B"),
    (NORMAL_OF_C, 0, 0, 16, "3F6E8C31 3FA12737 4000519A 3D5C1B39"),
    (UNIFORM_TWICE, 0, 1000, 0, "BB46FD30 BCE42BA0 B9664F00 BCF2D8E5"),
    (NORMAL_OF_C, 0, 1000, 0, "BF4BD34A BEA11658 BF815119 BEBB1713 BF592BB5 3EB9B896"),
    (NORMAL_OF_C, 0, 1000, 16, "3E8CCB50 3E4C100C 3DDF76E1 BF57CEC0"),
    (UNIFORM_TWICE, WORD, 0, 0, "3D1078BB 3BA6E5C8 3BA3DBD8 BD03CD66"),
    (NORMAL_OF_C, WORD, 0, 0, "C02A83DA BF8BA77B 3EE7241C 3E69D765 3E9CC8C4 3ED916ED"),
    (NORMAL_OF_C, WORD, 0, 16, "3FCFEBD0 BF8E8FE2 3F27DF1B BF9AD721"),
    (UNIFORM_TWICE, WORD, 1000, 0, "BD0DAEA4 3CD031A6 BD0F3963 3B99B7B8"),
    (NORMAL_OF_C, WORD, 1000, 0, "3D701F32 BFF6A4EA 3B7BF923 3FA06EC4 3FB34312 3F2DB3A9"),
    (NORMAL_OF_C, WORD, 1000, 16, "3F2258E5 3D550E99 BFC26FA8 BFA7F97F"),
)
UNFUSED_LENGTH = 16  # of the known answers with nothing fused
KNOWN_UNFUSED = (
    (NORMAL_UNFUSED, 3, 96, 0, "BEFE219E BF1A00EB BEF47D9A BE98F7B3 3EC94BA1 3F6B1605 BE854D54 3D50DD96"),
    (NORMAL_UNFUSED, 3, 144, 8, "BED1BB3A"),
    (NORMAL_UNFUSED, 3, 10304, 4, "BFC0DAD6"),
    (NORMAL_UNFUSED, 3, 10304, 12, "BE1B48B2"),
)
# The pattern of an element, a step, and what becomes of the pattern: the examples of the text, and others.
STEPS = [(ONE, 1, 0x3F7FFFFF), (ONE, 2, 0x3F800001), (ONE, WORD - 1, 0xBF7FFFFF), (ONE, WORD, 0xBF800000)]
STEPS += [(0, 1, WORD), (MINUS, 1, MINUS - 1), (MINUS, 2, MINUS + 1), (MINUS, WORD, 0), (MINUS, WORD - 1, WORD)]


def number64(bits: int) -> Fraction:
    """Return the number of these bits; not subnormal, infinite or NaN."""
    exponent, mantissa = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    if bits & ~(1 << 63) == 0:
        return Fraction(0)
    if not 0 < exponent < 0x7FF:
        raise ValueError("not a normal number")
    return Fraction((mantissa | 1 << 52) * (-1 if bits >> 63 else 1)) * Fraction(2) ** (exponent - 1075)


def rounded64(value: Fraction) -> Fraction:
    """Return the binary64 number nearest to this, to even on a tie."""
    if value == 0:
        return value
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length()
    if abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    if not -1022 <= exponent < 1023:
        raise ValueError("too small or too large")  # nothing of this section is
    place = Fraction(2) ** (exponent - 52)
    return round(value / place) * place  # of a Fraction: ties go to even


def plus(a: Fraction, b: Fraction) -> Fraction:
    """Return the sum in binary64."""
    return rounded64(a + b)


def by(a: Fraction, b: Fraction) -> Fraction:
    """Return the product in binary64."""
    return rounded64(a * b)


LN2 = number64(0x3FE62E42FEFA39EF)
LN = [number64(bits) for bits in (0x3FD5575B0BE00B6A, 0xBFDFFFFEF20A4123, 0xBFD00EA348B88334)]
TABLE = [
    (number64(int(a, 16)), number64(int(b, 16)))
    for a, b in (
        ("3FF661EC79F8F3BE", "BFD57BF7808CAADE"),
        ("3FF571ED4AAF883D", "BFD2BEF0A7C06DDB"),
        ("3FF49539F0F010B0", "BFD01EAE7F513A67"),
        ("3FF3C995B0B80385", "BFCB31D8A68224E9"),
        ("3FF30D190C8864A5", "BFC6574F0AC07758"),
        ("3FF25E227B0B8EA0", "BFC1AA2BC79C8100"),
        ("3FF1BB4A4A1A343F", "BFBA4E76CE8C0E5E"),
        ("3FF12358F08AE5BA", "BFB1973C5A611CCC"),
        ("3FF0953F419900A7", "BFA252F438E10C1E"),
        ("3FF0000000000000", "0000000000000000"),
        ("3FEE608CFD9A47AC", "3FAAA5AA5DF25984"),
        ("3FECA4B31F026AA0", "3FBC5E53AA362EB4"),
        ("3FEB2036576AFCE6", "3FC526E57720DB08"),
        ("3FE9C2D163A1AA2D", "3FCBC2860D224770"),
        ("3FE886E6037841ED", "3FD1058BC8A07EE1"),
        ("3FE767DCF5534862", "3FD4043057B6EE09"),
    )
]
# Row i is for z from ROWS[i] up to the next; z lies in an octave from the first, which x is brought to by k.
ROWS = [number(0x3F330000 + (i << 19)) for i in range(16)]
HALF_PI, TWO_PI, TURNS = (number64(bits) for bits in (0x3FF921FB54442D18, 0x401921FB54442D18, 0x41645F306DC9C883))
S = [number64(bits) for bits in (0xBFC555545995A603, 0x3F81107605230BC4, 0xBF2994EB3774CF24)]
C = [number64(bits) for bits in (0xBFDFFFFFFD0C621C, 0x3FA55553E1068F19, 0xBF56C087E89A359D, 0x3EF99343027BF8C3)]


def octave(x: Fraction) -> tuple[int, int]:
    """Return k and i of a number that is above 0."""
    k = 0
    while x * Fraction(2) ** -k >= 2 * ROWS[0]:
        k += 1
    while x * Fraction(2) ** -k < ROWS[0]:
        k -= 1
    return k, bisect_right(ROWS, x * Fraction(2) ** -k) - 1


def ln(x: Fraction) -> Fraction:
    """Return ln(x)."""
    k, i = octave(x)
    a, b = TABLE[i]
    q = plus(by(x * Fraction(2) ** -k, a), Fraction(-1))
    square = by(q, q)
    y = plus(by(LN[0], q), LN[1])
    y = plus(by(LN[2], square), y)
    return rounded(plus(by(y, square), plus(plus(b, by(Fraction(k), LN2)), q)))


def quarters(t: Fraction) -> int:
    """Return n, by how many quarters of a turn an angle is turned back."""
    return (by(t, TURNS) // 1 + (1 << 23)) // (1 << 24)


def sine_and_cosine(t: Fraction) -> tuple[Fraction, Fraction]:
    """Return sine(t), cosine(t)."""
    n = quarters(t)
    x = plus(t, -by(Fraction(n), HALF_PI))
    z = by(x, x)
    cube, square = by(x, z), by(z, z)
    s = plus(plus(x, by(cube, S[0])), by(by(cube, z), plus(S[1], by(z, S[2]))))
    c = plus(plus(plus(Fraction(1), by(z, C[0])), by(square, C[1])), by(by(square, z), plus(C[2], by(z, C[3]))))
    turned = [rounded(s), rounded(c), -rounded(s), -rounded(c)]
    return turned[n % 4], turned[(n + 1) % 4]


def angle(v: Fraction) -> Fraction:
    """Return t of V(j + 8)."""
    return rounded(by(TWO_PI, v))


def multiply_then_add(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    """Return a × b + c in binary32, two operations."""
    return rounded(rounded(a * b) + c)


def sixteen_of_c(drawn: Sequence[int]) -> list[Fraction]:
    """Return the sixteen numbers that sixteen draws make, by the C library."""
    v = [fraction(draw) for draw in drawn]
    radii = [root(rounded(-2 * ln(1 - x))) for x in v[:8]]
    turned = [sine_and_cosine(angle(x)) for x in v[8:]]
    by_cosine = [rounded(r * cosine) for r, (_, cosine) in zip(radii, turned, strict=True)]
    return by_cosine + [rounded(r * sine) for r, (sine, _) in zip(radii, turned, strict=True)]


SIXTEENS: dict[int, Callable[[Sequence[int]], list[Fraction]]] = {
    NORMAL: drawing.sixteen,
    NORMAL_OF_C: sixteen_of_c,
    NORMAL_UNFUSED: partial(drawing.sixteen, of_log=multiply_then_add, of_turns=multiply_then_add),
}


def step_to(old: int, new: int) -> int:
    """Return the step from one pattern to another; 0, which is none, from one to itself."""
    difference = (new - old) % (1 << 32)
    return 2 * difference if difference < 1 << 31 else 2 * ((1 << 32) - difference) - 1


def stepped(pattern: int, step: int) -> int:
    """Return the pattern of a patched element."""
    return (pattern + (-(step + 1) // 2 if step % 2 else step // 2)) % (1 << 32)


def elements(
    distribution: int, seed: int, offset: int, scale: int, length: int, steps: Patches | None = None, *, low: int = 0
) -> Bits:
    """Return all elements as bits, patches applied (4.5, 8.9); scale and low as bits."""
    size = number(scale)
    if distribution == UNIFORM:
        made = drawing.elements(drawing.UNIFORM, seed, offset, scale, length, low=low).tolist()
    elif distribution == UNIFORM_TWICE:
        made = [signed(rounded(fraction(x) * size) + number(low)) for x in draws(seed, offset, length)]
    else:
        numbers = drawing.normal_numbers(seed, offset, length, SIXTEENS[distribution])
        made = [signed(value * size) for value in numbers]
    for index, step in (steps or {}).items():
        made[index] = stepped(made[index], step)
    return np.array(made, dtype="<u4")


def check_known_dialects() -> None:
    """Compare with the known answers in section 8.9."""
    for distribution, seed, offset, first, text in KNOWN + KNOWN_UNFUSED:
        told = words(text)
        scale = SCALE if distribution == UNIFORM_TWICE else ONE
        length = UNFUSED_LENGTH if distribution == NORMAL_UNFUSED else 20
        made = elements(distribution, seed, offset, scale, length, low=LOW)
        if made[first : first + len(told)].tolist() != told:
            raise AssertionError("generator 4 differs from its known answers")
    if any(stepped(old, step) != new or step_to(old, new) != step for old, step, new in STEPS):
        raise AssertionError("steps differ from what they say")
