"""The vectors for mask coder 8, flips: section 5.4 of the specification, with 3, 4.1 and 6.2.

A delta is made `upon` another valid vector. The masks of that are known from what its layers hold, or from where it
is made, never read from a payload. Vectors of one line, the invalid ones among them, are in the table beside it.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from writer.coders import Bits, D, bits
from writer.delta import FLIPS, coded_mask, flips, flips_payload
from writer.ids import CONSTANT, RAW, RAW_MASK
from writer.rans import RANS_BYTES, RANS_GAPS_OF_ONES, byte_frequencies, rans
from writer.writer import Block, File, Mask, Values, kept, mask, tiled

from cases.content import keep
from cases.files import holding, mask_cases, shows
from cases.rans import some_bits
from cases.valid import Valid, again, demand, one, same, upon, valid

# Every coder that flips may have, with its numbers.
EVERY: tuple[tuple[int, ...], ...] = ((0,), (1,), (2,), (3,), (4,), (5, 100, 1), (6, 1, 90, 1), (7, 0, 140, 1))


@cache
def masks_of(base: str) -> list[Bits]:
    """Return the masks of a valid vector of layers that show them: its prototypes and what they keep are not zero."""
    return [np.frombuffer(bytes(tensor.data), np.uint8) != 0 for tensor in again(base).networks[""]]


def flipped(base: str, *rows: tuple[int, tuple[int, ...], int, int]) -> Valid:
    """Return a delta of layers that show masks: index in the base, how flips are coded, flips in 256 bits, a seed."""
    made = []
    for index, how, density, seed in rows:
        old = masks_of(base)[index]
        new = old ^ some_bits(len(old), density, 1000 + seed)
        made.append((new, flips(old, new, index, *how)))
    return upon(base, mask_cases(made))


def flips_of(old: str, new: str, index: int, coder: int) -> Mask:
    """Return a mask as flips of a mask of the base by a coder."""
    return flips(bits(old), bits(new), index, *EVERY[coder])


@valid
def delta_base_masks() -> Valid:
    """A base: masks of 331 bits by every coder, one of no bits, one of 9 and one of 30,003."""
    densities = (256, 128, 77, 10, 246, 40, 9)
    rows = [(some_bits(331, density, coder), EVERY[coder]) for coder, density in enumerate(densities)]
    rows += [(some_bits(331, 240), EVERY[7]), (bits(""), EVERY[0]), (bits("101100111"), EVERY[2])]
    rows.append((some_bits(30_003, 77), (RANS_BYTES, 77, 8)))
    return mask_cases([(pattern, coded_mask(pattern, *how)) for pattern, how in rows], 1)


@valid
def delta_base_users() -> Valid:
    """A base: the presence of a partial prototype, masks of a kept layer and of a tiled layer with idle positions."""
    file = File(masks=[mask("1011"), mask("0110010"), mask("101011")], prototypes=[Values(4, 0, presence=0)])
    file.blocks = [Block(D.UINT8, RAW, bytes([7, 0, 5])), Block(D.UINT8, RAW, bytes([9, 21, 22]))]
    file.entries = [kept("k", (7,), 1, 1), tiled("w", (12,), 2)]
    w = bytes([7, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0, 5])  # of 7 0 0 5, two of which are idle: bits for 0, 3, 4, 7, 8, 11
    return same(file, D.UINT8, ("k", (7,), bytes([0, 9, 21, 0, 0, 22, 0])), ("w", (12,), w))


@valid
def delta_base_many() -> Valid:
    """A base: 140 kept layers of three elements, each with a mask of its own."""
    patterns = np.array([[i % 2, i // 2 % 2, i % 5 < 3] for i in range(140)], np.bool_)
    values = [np.full(pattern.sum(), i + 1, np.uint8) for i, pattern in enumerate(patterns)]
    rows = [(kept(f"k{i}", (3,), i), keep(patterns[i], values[i])) for i in range(140)]
    return holding(D.UINT8, np.concatenate(values), *rows, masks=[mask(pattern) for pattern in patterns])


@valid
def delta_flips_by_hand() -> Valid:
    """Payloads written by hand: bit 1 of nine flipped, as raw; bits 0 and 8, as gaps; none; all."""
    rows = [("111100111", "09 01 01 02 00"), ("001100110", "09 02 03 28 B5 2F FD 20 02 11 00 00 00 07")]
    rows += [("101100111", "09 00 00"), ("010011000", "09 09 00")]
    demand(np.array_equal(masks_of("delta_base_masks")[9], OLD), "another mask")
    made = [(bits(new), Mask(FLIPS, 9, new.count("1"), bytes.fromhex(hand))) for new, hand in rows]
    return upon("delta_base_masks", mask_cases(made))


@valid
def delta_flips_to_constant() -> Valid:
    """Masks that are constant after the flips, and were not before."""
    base = masks_of("delta_base_masks")
    rows = [(np.full(len(base[i]), bit), i, how) for i in (3, 9) for bit in (False, True) for how in EVERY[1:]]
    return upon("delta_base_masks", mask_cases([(new, flips(base[i], new, i, *how)) for new, i, how in rows]))


@valid
def delta_flips_beside_others() -> Valid:
    """Masks by coder 8 among masks by every other coder."""
    rows = []
    for i, (old, how) in enumerate(zip(masks_of("delta_base_masks"), EVERY, strict=False)):
        own, new = some_bits(100 + i, 256 if i == 0 else 99, i), old ^ some_bits(len(old), 12, 1000 + i)
        rows += [(own, coded_mask(own, *how)), (new, flips(old, new, i, *EVERY[6]))]
    return upon("delta_base_masks", mask_cases(rows))


@valid
def delta_flips_users() -> Valid:
    """Masks of a prototype's presence, of kept layers, of a tiled layer with idle positions: all as flips."""
    file = File(masks=[flips_of("1011", "1101", 0, 1), flips_of("0110010", "1110011", 1, 3)])
    file.masks += [flips_of("1011", "0100", 0, 0), flips_of("101011", "011011", 2, 5)]
    file.blocks = [Block(D.UINT8, RAW, bytes([3, 1, 2])), Block(D.UINT8, RAW, bytes([31, 32, 33, 34, 35, 36]))]
    file.prototypes = [Values(4, 0, presence=0)]
    file.entries = [kept("other", (7,), 1, 1), kept("presence", (2, 2), 2, 1), tiled("w", (2, 4), 3)]
    k = ("other", (7,), bytes([31, 32, 33, 0, 0, 34, 35])), ("presence", (2, 2), bytes([0, 36, 0, 0]))
    w = bytes([0, 1, 0, 2, 0, 1, 0, 2])  # of 3 1 0 2: bits for 0, 1, 3, 4, 5, 7
    return upon("delta_base_users", same(file, D.UINT8, *k, ("w", (2, 4), w)))


@valid
def delta_flips_far_index() -> Valid:
    """Masks 127, 128 and 139 of the base, the last: an index of two bytes."""
    rows = [(i, old, np.roll(~old, 1)) for i, old in enumerate(masks_of("delta_base_many")) if i in (0, 127, 128, 139)]
    return upon("delta_base_many", mask_cases([(new, flips(old, new, i, RAW_MASK)) for i, old, new in rows]))


@valid
def delta_flips_pages() -> Valid:
    """A base of three pages, and 1,200,000 bits of which some are flipped."""
    case = again("pages")
    full = np.frombuffer(bytes(case.networks[""][0].data), "<i1").copy()
    at = np.arange(1_200_000) % 3001 == 1500
    noisy = hashlib.shake_256(b"pemn pages").digest(150_000)  # as there
    old = np.unpackbits(np.frombuffer(noisy, np.uint8), bitorder="little").astype(np.bool_)
    values = np.array([3, -1, 4, -128, 5, -9, 2], dtype="<i1")
    full[at] = np.where(old ^ at, values[np.arange(1_200_000) % 7], 0)[at]
    case.file.masks = [flips(old, old ^ at, 0, RANS_GAPS_OF_ONES, 11, 128, 1)]
    return upon("pages", same(case.file, D.INT8, ("w", (1200, 1000), full)))


# What is damaged: flips of two of nine bits, of mask 9 of `delta_base_masks`.
OLD, NEW = bits("101100111"), bits("111100101")
CHANGED = coded_mask(OLD ^ NEW, RAW_MASK)
GOOD = flips_payload(9, CHANGED)
NO_FLIPS = Mask(CONSTANT, 9, 0)
BAD_END = b"\x64" + rans(CHANGED.payload, byte_frequencies(100), 1, ends={0: 65537}).build()


def upon_masks(payload: bytes, length: int = 9, ones: int = 6) -> Valid:
    """Return a delta of a layer of one prototype element that shows a mask by coder 8."""
    demand(np.array_equal(masks_of("delta_base_masks")[9], OLD) and NEW.sum() == 6 and len(GOOD) == 5, "another mask")
    return upon("delta_base_masks", one(shows(Mask(FLIPS, length, ones, payload), minor=3)))


def of_length(index: int, length: int) -> Valid:
    """Return the same of no flips of this mask, for one of another length."""
    old = masks_of("delta_base_masks")[index]
    demand(length != len(old), "the length is right")
    return upon_masks(flips_payload(index, Mask(CONSTANT, length, 0)), length, int(old[:length].sum()))


def with_ones(ones: int) -> Valid:
    """Return the same of other ones."""
    demand(ones != NEW.sum(), "the number of ones is right")
    return upon_masks(GOOD, ones=ones)
