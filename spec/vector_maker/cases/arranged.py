"""The vectors for generator 2, arranged values: section 8.7 of the specification, with 3, 4.5, 4.7, 7 and 8.4."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
from writer import numbers
from writer.numbers import NORMAL, SIGNED_CONSTANT, UNIFORM
from writer.writer import File, Generator

from cases.content import INFINITY, LARGEST, MINUS, NAN, ONE, TWO
from cases.files import Made, layered, show
from cases.generators import NONE, Patches
from cases.rows import edited, whole
from cases.valid import Valid, demand, valid

ALL = (SIGNED_CONSTANT, UNIFORM, NORMAL)


def arranged(
    kind: int, seed: int, stream: int, scale: int, length: int, period: int, zeros: int = 0, patches: Patches = NONE
) -> Made:
    """Return generator 2 and its elements as bits."""
    values = numbers.arranged(kind, seed, stream, scale, length, period, zeros, patches)
    made = Generator(length, kind, seed, stream, scale, patches, numbers.digest(values), None, 2, period, zeros)
    return made, values


def sizes(seed: int, stream: int, scale: int, *rows: tuple[int, int] | tuple[int, int, int]) -> list[Made]:
    """Return prototypes of every distribution, of each length, period and number of zeros."""
    return [arranged(d, seed, stream, scale, *row) for d in ALL for row in rows]


@valid
def arranged_ties() -> Valid:
    """Two equal words: the smaller number is the last of the zeros; the smaller number stands before the other."""
    seed, n = 7, 1100
    for stream, bit, pair in ((20588, 1 << 63, [486, 818]), (1475, 1 << 62, [388, 525])):
        order = numbers.order(seed, stream ^ bit, n)
        at = order.index(pair[0])
        equal = len({numbers.word(seed, stream ^ bit, i) for i in pair}) == 1 and order[at : at + 2] == pair
        demand(equal and (bit == 1 << 62 or at == 526), "no equal words, or not where the zeros end")
    return show(arranged(UNIFORM, 7, 20588, ONE, n, n, 527), arranged(UNIFORM, 7, 1475, ONE, n, 900), minor=1)


def of_nan(place: int) -> Made:
    """Return a prototype with a patch of NaN at this place of the order, of which the first three become zero."""
    return arranged(UNIFORM, 48, 5, ONE, 20, 8, 3, {numbers.order(48, 5 ^ 1 << 63, 8)[place]: NAN})


def of_sizes(length: int, period: int, zeros: int) -> File:
    """Return a valid file of one prototype of these sizes."""
    return layered(arranged(UNIFORM, 50, 1, ONE, length, period, zeros), minor=1)


def ends_after(last: bytes) -> File:
    """Return a file whose manifest ends after these bytes, the first of period and zeros."""
    file = of_sizes(200, 130, 3)
    stream_and_scale = (1).to_bytes(8, "little") + ONE.to_bytes(4, "little")
    end = file.manifest().index(stream_and_scale + last) + len(stream_and_scale + last)
    return edited(file, whole(edit_manifest=itemgetter(slice(end))))


def made(length: int = 30, zeros: int = 5, patches: Patches | None = None) -> Made:
    """Return a prototype of twelve values."""
    return arranged(NORMAL, 51, 3, ONE, length, 12, zeros, {2: TWO} if patches is None else patches)


def infinite(length: int, patch: int | None = None) -> File:
    """Return a file of a prototype whose infinite elements become zero, patched or not."""
    places = np.flatnonzero(numbers.elements(NORMAL, 5, 7, LARGEST, 8) & ~np.uint32(MINUS) == INFINITY).tolist()
    zeroed = set(numbers.order(5, 7 ^ 1 << 63, 8)[:4])
    demand(len(places) == 2 and set(places) <= zeroed, "not all infinite elements are zeroed")
    patches = {} if patch is None else dict.fromkeys(places, patch)
    return layered(arranged(NORMAL, 5, 7, LARGEST, length, 8, 4, patches), minor=1)
