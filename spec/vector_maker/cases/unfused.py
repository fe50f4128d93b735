"""The valid vectors for generator 4 with nothing fused, distribution 5 (sections 4.5 and 8.9), and for its steps.

Few elements are others than those of distribution 3: seeds and offsets were searched for, and every vector demands that
its elements are what it is there for.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import numpy as np
from writer import drawn
from writer.dialects import KNOWN_UNFUSED, NORMAL, NORMAL_UNFUSED, UNFUSED_LENGTH, multiply_then_add
from writer.drawn import MultiplyAdd, fma
from writer.numbers import WORD

from cases.content import ONE
from cases.dialects import UP
from cases.draws import bits_of, by_4, turn
from cases.files import Made
from cases.valid import demand

SEED = 187  # of the draws that make another logarithm, sine or cosine


def unfused(seed: int, offset: int, length: int = 16, steps: dict[int, int] | None = None, scale: int = ONE) -> Made:
    """Return a prototype of distribution 5 and its elements."""
    return by_4(NORMAL_UNFUSED, seed, offset, scale, length, steps)


def others(seed: int, offset: int, length: int = 16) -> set[int]:
    """Return the indices of the elements that distribution 3 makes otherwise."""
    made, fused = (by_4(d, seed, offset, ONE, length)[1] for d in (NORMAL_UNFUSED, NORMAL))
    return set(np.flatnonzero(made != fused).tolist())


def known(seed: int, offset: int) -> Made:
    """Return the elements of a known answer, of which one that is told is another with distribution 3."""
    for _, *where, first, text in KNOWN_UNFUSED:
        told = {*range(first, first + len(text.split()))}
        demand(where != [seed, offset] or others(seed, offset, UNFUSED_LENGTH) & told, "none is another")
    return unfused(seed, offset, UNFUSED_LENGTH)


def others_if_remade() -> Made:
    """Return elements of which some of the last 16 are others than those of distribution 3, as they are made again."""
    indices = others(189, 34, 37)
    demand(indices and min(indices) >= 37 - 16, "not of the last 16")
    demand(not others(189, 34, 32), "others before they are made again")
    return unfused(189, 34, 37)


def parts(position: int) -> tuple[bool, bool, bool]:
    """Return whether log(1 - V), and sin and cos of the angle of V, are others with nothing fused, of that seed."""
    v = turn(SEED, position)
    t = drawn.rounded(drawn.TWO_PI * v)
    made = [(drawn.logarithm(1 - v, add), *drawn.sine_and_cosine(t, add)) for add in (fma, multiply_then_add)]
    log, sine, cosine = (a != b for a, b in zip(*made, strict=True))
    return log, sine, cosine


def logarithm(i: int, e: int, position: int) -> Made:
    """Return elements of which i and i + 8 are others for a logarithm alone, of this exponent."""
    demand(1 <= (1 - turn(SEED, position)) / drawn.SQRT_HALF / Fraction(2) ** e < 2, "another exponent")
    demand(parts(position)[0] and parts(position + 8)[1:] == (False, False), "not for the logarithm alone")
    demand({i, i + 8} <= others(SEED, position - i), "the elements are the same")
    return unfused(SEED, position - i)


def angle(i: int, n: int, position: int, of_sine: bool) -> Made:
    """Return elements of which one is another for the sine of an angle alone, or for the cosine, of this n."""
    t = drawn.rounded(drawn.TWO_PI * turn(SEED, position))
    demand((int(drawn.rounded(t * drawn.FOUR_BY_PI)) + 1) // 2 * 2 == n, "another n")
    demand(not parts(position - 8)[0] and parts(position)[1:] == (of_sine, not of_sine), "for something else")
    indices = others(SEED, position - 8 - i)
    demand((i + 8 in indices) == of_sine and (i in indices) != of_sine, "the elements are the same")
    return unfused(SEED, position - 8 - i)


def all_but(which: int, of: int) -> MultiplyAdd:
    """Return a multiply-add that fuses one call of so many, again and again, and no other."""
    calls = count()
    return lambda a, b, c: (fma if next(calls) % of + 1 == which else multiply_then_add)(a, b, c)


def alone(which: int, seed: int, offset: int, element: int = 0, of_log: bool = False) -> Made:
    """Return elements of which this one is another if one fma alone is fused: of log, or of sin and cos."""
    made, one = unfused(seed, offset), all_but(which, 10 if of_log else 9)
    adds = (one, multiply_then_add) if of_log else (multiply_then_add, one)
    numbers = drawn.sixteen(drawn.draws(seed, offset, 16), *adds)
    demand(bits_of(numbers)[element] != made[1][element], "it is the same")
    return made


HELD_5 = [unfused(196, 5, 20, {2: UP, 3: WORD}), unfused(196, 30, 17)]
