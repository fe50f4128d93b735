"""Candidates for the period of a layer, by the distances between equal words: in a repetition they are multiples of it.

Among many distinct words few are equal by chance, and neighbours tell. Where a word stands often in the period, too,
all distances of one word are counted. Where there are only a few words, `lags` looks at whether they differ instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ....common.words import Words
from .unit import Places, Unit, first

# Words that are sorted at a time.
_SAMPLE = 1 << 15
_MOST_GAPS = 1 << 12
_MOST_CANDIDATES = 8
# With so few distances one voice is enough.
_FEW_GAPS = 8
# Of one word: so many of its places, the first of which are laid over the others that the period has some votes.
_MOST_PLACES, _MOST_BEGINS, _VOTES = 1 << 12, 1 << 8, 8
_OFTEN = 8
# With fewer distinct words a sample by words might miss them all.
_FEW_WORDS = 256
# A factor, and a shift that leaves the highest 16 bits of the product.
_HASHES = {2: (0x9E3B, 0), 4: (0x9E3779B1, 16), 8: (0x9E3779B97F4A7C15, 48)}


def sample(unit: Unit) -> tuple[Places, Words]:
    """All known elements; of a large layer all those with some of the words, or the first ones where words are few."""
    if unit.head_is_all:
        return unit.head
    if unit.count <= _SAMPLE or unit.distinct <= _FEW_WORDS:
        return first(unit.elements(), _SAMPLE, unit.values)
    return first(_with_some_words(unit, _SAMPLE / unit.count), 2 * _SAMPLE, unit.values)


def _with_some_words(unit: Unit, fraction: float) -> Iterator[tuple[Places, Words]]:
    """The known elements whose words have a small hash."""
    factor, shift = _HASHES[unit.values.itemsize]
    threshold = max(1, int(fraction * (1 << 16)))
    for start, words, flags in unit.pieces():
        kind = words.dtype.type
        places = np.flatnonzero((words * kind(factor) >> kind(shift) < threshold) & flags)
        yield places + start, words[places]


def candidates(places: Places, words: Words, length: int) -> list[int]:
    """Periods below `length` that neighbouring equal words vote for, the least first; mostly none of them is one.

    Args:
        places: ascending for each unit.
    """
    order = np.lexsort((places, words))
    places, words = places[order], words[order]
    gaps = np.diff(places)
    inner = np.flatnonzero((words[1:] == words[:-1]) & (gaps > 0))
    # The rarest words first: a word that stands once in the period has no other distances than its multiples.
    begins = np.flatnonzero(np.concatenate([[True], words[1:] != words[:-1]]))
    sizes = np.diff(np.append(begins, len(words)))
    rarity = np.repeat(sizes, sizes)[1:]
    inner = inner[np.argsort(rarity[inner], kind="stable")][:_MOST_GAPS]
    gaps = gaps[inner]
    if len(gaps) < 2:
        return []
    # Two multiples have the period as their greatest common divisor in 6 of 10 cases; two of chance hardly any.
    divisors = np.concatenate([np.gcd(gaps, np.roll(gaps, shift)) for shift in (1, len(gaps) // 2)])
    least = 1 if len(gaps) < _FEW_GAPS else 2
    voted = _most_frequent(divisors, least) + _most_frequent(gaps, least)
    return sorted({period for period in voted if period < length})


def candidates_of_one_word(unit: Unit) -> list[int]:
    """Periods that all distances of the rarest word vote for that stands often enough."""
    distinct, counts = np.unique(unit.head[1], return_counts=True)
    rare = distinct[np.argsort(counts + len(unit.head[1]) * (counts < _OFTEN), kind="stable")[0]]
    places = first(_of_word(unit, rare), _MOST_PLACES, unit.values)[0]
    begin = min(_MOST_BEGINS, math.ceil(_VOTES * unit.length / unit.count))
    distances = (places[None, :] - places[:begin, None]).reshape(-1)
    voted = _most_frequent(distances[distances > 0], _VOTES // 4)
    return sorted(voted)


def _of_word(unit: Unit, word: np.unsignedinteger) -> Iterator[tuple[Places, Words]]:
    for start, words, flags in unit.pieces():
        places = np.flatnonzero((words == word) & flags)
        yield places + start, words[places]


def _most_frequent(values: NDArray[np.int64], least: int) -> list[int]:
    """Those that are there at least so often, and not many of them."""
    distinct, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_CANDIDATES]
    found: list[int] = distinct[order][counts[order] >= least].tolist()
    return found
