"""The valid vectors for generator 4, dialects: section 8.9 of the specification, with 3, 4.2, 4.5, 6.2, 7 and 8.4.

Distributions 1 to 4, and patches, which are steps; the fifth distribution is in `unfused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from writer import dialects, drawn
from writer.dialects import LOW, NORMAL, NORMAL_OF_C, SCALE, UNIFORM, UNIFORM_TWICE, octave, step_to
from writer.numbers import WORD

from cases.content import HALF, INFINITY, MINUS, NAN, ONE
from cases.draws import F4, by_4, place, turn
from cases.files import Made
from cases.valid import demand

UNIFORMS, NORMALS = (UNIFORM, UNIFORM_TWICE), (NORMAL, NORMAL_OF_C)
PLACE = Fraction(1, 1 << 24)  # of a V
NOTE = "\n\n    The greatest offset is one of generator 4.\n    "


def row_ends(*places: tuple[int, int]) -> Iterator[Made]:
    """Yield elements of the logarithm of the least number of each row of the table, and of the greatest."""
    for i, (seed, position) in enumerate(places):
        x = 1 - turn(seed, position)
        k, row = octave(x)
        demand(row == i // 2 and (row == 9 or k == -(row > 9)), "another row")
        demand(octave(x + (PLACE if i % 2 else -PLACE)) != (k, row), "no end of a row")
        yield by_4(NORMAL_OF_C, seed, position - min(position, row % 3), ONE, 16)


def octaves() -> Iterator[Made]:
    """Yield elements of logarithms of ever smaller numbers, and of each k that 6,000 draws have."""
    for k in ((1 << 24) - 1, (1 << 24) - 2):
        yield by_4(NORMAL_OF_C, *place(k, 3), ONE, 16)
    seen = {octave(Fraction(1))[0]}
    for i, draw in enumerate(drawn.draws(165, 0, 6000)):
        k = octave(1 - drawn.fraction(draw))[0]
        if k not in seen:
            seen.add(k)
            yield by_4(NORMAL_OF_C, 165, i, ONE, 16)
    demand(octave(PLACE)[0] == -24 and len(seen) > 9, "other octaves")


def quarter_ends(*places: tuple[int, int]) -> Iterator[Made]:
    """Yield elements of the last angle that is turned back by n quarters and the first one by n + 1, for each n."""
    for i, (seed, position) in enumerate(places):
        v = turn(seed, position)
        demand(dialects.quarters(dialects.angle(v)) == (i + 1) // 2, "turned by another n")
        demand(i % 2 == 0 or v - turn(*places[i - 1]) == PLACE, "not one after the other")
        yield by_4(NORMAL_OF_C, seed, position - 8 - i // 2, ONE, 16)


# --- steps --------------------------------------------------------------------------------------------------

UP, DOWN, MOST_DOWN, MOST_UP = 2, 1, WORD, WORD - 1
ADDED = {UP: 1, DOWN: -1, MOST_DOWN: 1 << 31}  # by some steps, modulo 2^32
EXTREMES = {0: MOST_DOWN, 1: MOST_UP, 2: MOST_DOWN - 2, 3: MOST_UP - 2, 18: 3, 19: 4}
ENDS, NEIGHBOURS, EVERY = {0: UP, 19: DOWN}, {3: DOWN, 4: UP}, {i: UP - i % 2 for i in range(20)}
STEPS = (1, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28, WORD)
SPECIAL = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 18: WORD, 19: MINUS}
FAR = (0, 128, 257, 257 + 16384, 257 + 16384 + 16385)


def moved(distribution: int, seed: int, offset: int, steps: dict[int, int]) -> Made:
    """Return twenty elements of scale 1, of which there are some of either sign without these steps."""
    (_, old), (row, made) = (by_4(distribution, seed, offset, ONE, 20, some) for some in ({}, steps))
    demand(0 < np.count_nonzero(old & MINUS) < 20, "elements of one sign only")
    added = {i: ADDED[step] for i, step in steps.items() if step in ADDED}
    demand(all((int(old[i]) + by) % (1 << 32) == made[i] for i, by in added.items()), "a step adds something else")
    return row, made


def both_ways(row: Made) -> Made:
    """Return the prototype, which has steps up and down."""
    demand(len({int(step) % 2 for step in row[0].patches.values()}) == 2, "from one side only")
    return row


def into_each_other(one: int, other: int, seed: int, scale: int, length: int, low: int, least: int) -> Iterator[Made]:
    """Yield each of two distributions as steps of the other, some of them by one up and down."""
    ours, theirs = (F4.make(d, seed, 9, scale, length, low=low)[1] for d in (one, other))
    for distribution, old, new in ((one, ours, theirs), (other, theirs, ours)):
        steps = {int(i): step_to(int(old[i]), int(new[i])) for i in np.flatnonzero(old != new)}
        demand(len(steps) > least and UP in steps.values() and DOWN in steps.values(), "hardly any steps")
        made = by_4(distribution, seed, 9, scale, length, steps, low)
        demand((made[1] == new).all(), "not what the other makes")
        yield made


def thousands() -> Made:
    """Return 10,000 elements, of which some 6,000 have steps."""
    sizes = (1, 2, 1, 2, 3, 4, 200, 40000, WORD)
    draws = enumerate(drawn.draws(175, 0, 10000))
    steps = {i: min(sizes[x % 9], x | 1) for i, x in draws if x >> 16 & 255 < 154}
    demand(5900 < len(steps) < 6300, "more or less")
    return by_4(UNIFORM, 175, 700, SCALE, 10000, steps, LOW)


HELD_4 = [by_4(NORMAL_OF_C, 183, 5, HALF, 20, {2: UP, 3: WORD}), by_4(UNIFORM_TWICE, 183, 30, ONE, 9)]
