"""The valid vectors for mask coder 8, flips: section 5.4 of the specification, with 3, 4.1 and 6.2.

A delta is made `upon` another valid vector. The masks of that are known from what its layers hold, or from where it
is made, never read from a payload.
"""

from __future__ import annotations

import hashlib

import numpy as np
from writer.coders import Bits, D, bits
from writer.delta import FLIPS, coded_mask, flips
from writer.ids import CONSTANT, GAPS_OF_ONES, GAPS_OF_ZEROS, RAW, RAW_MASK, ZSTD_MASK
from writer.rans import RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ZEROS
from writer.writer import Block, File, Mask, Values, kept, mask, tiled

from cases.content import keep
from cases.files import gaps_file, mask_cases
from cases.rans import noise as some_bits
from cases.valid import Valid, again, case, demand, expect, named, one, since, upon, valid

# Every coder that flips may have, with its numbers.
EVERY: tuple[tuple[int, ...], ...] = (
    (CONSTANT,),
    (RAW_MASK,),
    (ZSTD_MASK,),
    (GAPS_OF_ONES,),
    (GAPS_OF_ZEROS,),
    (RANS_BYTES, 100, 1),
    (RANS_GAPS_OF_ONES, 1, 90, 1),
    (RANS_GAPS_OF_ZEROS, 0, 140, 1),
)


def masks_of(base: str) -> list[Bits]:
    """The masks of a valid vector of layers that show them, of one prototype element."""
    return [np.frombuffer(bytes(tensor.data), np.uint8) != 0 for tensor in again(base).networks[""]]


def shown(base: str, *rows: tuple[Bits, Mask]) -> Valid:
    """A delta of layers of one prototype element, which show their masks."""
    made = gaps_file(RAW_MASK, *(pattern for pattern, _ in rows))
    made.file.masks = [coded for _, coded in rows]
    return upon(base, made)


def changed(old: Bits, density: int, seed: int = 0) -> Bits:
    """A mask that differs from another in some `density` of 256 bits."""
    return old ^ some_bits(len(old), density, 1000 + seed)


case(
    "minor_3_without_its_ids",
    "Minor 3 although nothing in the file came with it: higher than need be, which is no error.",
)(lambda: since(3, again("generator_layers")))
case("minor_3_with_ids_of_2", "Minor 3, and of the ids only some that came with minors 1 and 2.")(
    lambda: since(3, again("grouped_users"))
)


@valid
def base_key_unused() -> Valid:
    """A digest as pemn.base, of no file at all, but neither coder 8 nor coder 6: complete in itself."""
    case = again("tile_simple")
    named(case.file, "0123456789abcdef" * 4)
    return case


@valid
def base_key_unused_minor_3() -> Valid:
    """A pemn.base that is no digest, in a file of minor 3, but neither coder 8 nor coder 6: nobody looks at it."""
    case = since(3, again("rans_users"))
    named(case.file, "which one?")
    return case


case("base_key_unused_empty", "An empty pemn.base in a file without masks and blocks.")(lambda: one(named(File(), "")))


@valid
def delta_base_masks() -> Valid:
    """A base: masks of 331 bits by every coder, one of no bits, one of 9 and one of 30,003."""
    rows = [
        (some_bits(331, density, coder), EVERY[coder]) for coder, density in enumerate((256, 128, 77, 10, 246, 40, 9))
    ]
    rows += [(some_bits(331, 240), EVERY[7]), (bits(""), EVERY[0]), (bits("101100111"), EVERY[2])]
    rows.append((some_bits(30_003, 77), (RANS_BYTES, 77, 8)))
    return mask_cases([(pattern, coded_mask(pattern, *how)) for pattern, how in rows], 1)


@valid
def delta_base_users() -> Valid:
    """A base: the presence of a partial prototype, masks of a kept layer and of a tiled layer with idle positions."""
    values = bytes([7, 0, 5, 9, 21, 22, 23])
    file = File(masks=[mask("1011"), mask("0110010"), mask("101011")])
    file.blocks = [Block(D.UINT8, RAW, values[:3]), Block(D.UINT8, RAW, values[3:6])]
    file.prototypes = [Values(4, 0, presence=0)]
    file.entries = [kept("k", (7,), 1, 1), tiled("w", (12,), 2)]
    k = keep("0110010", np.frombuffer(values[3:6], np.uint8))
    w = bytes([7, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0, 5])  # of 7 0 0 5, two of which are idle: bits for 0, 3, 4, 7, 8, 11
    return one(file, expect("k", D.UINT8, (7,), k), expect("w", D.UINT8, (12,), w))


@valid
def delta_base_many() -> Valid:
    """A base: 140 kept layers of three elements, each with a mask of its own."""
    file, expected = File(), []
    for i in range(140):
        file.masks.append(mask(pattern_of(i)))
        file.entries.append(kept(f"k{i}", (3,), i))
        expected.append(expect(f"k{i}", D.UINT8, (3,), keep(pattern_of(i), np.full(ones_of(i), i + 1, np.uint8))))
    file.blocks = [Block(D.UINT8, RAW, b"".join(bytes([i + 1]) * ones_of(i) for i in range(140)))]
    return one(file, *expected)


def pattern_of(i: int) -> Bits:
    """The mask of layer i there."""
    return np.array([i % 2, i // 2 % 2, i % 5 < 3], dtype=np.bool_)


def ones_of(i: int) -> int:
    """Its ones."""
    return int(pattern_of(i).sum())


@valid
def delta_flips_by_hand() -> Valid:
    """Payloads written by hand: bit 1 of nine flipped, as raw; bits 0 and 8, as gaps; none; all."""
    old = bits("101100111")
    rows = [("111100111", "09 01 01 02 00"), ("001100110", "09 02 03 28 B5 2F FD 20 02 11 00 00 00 07")]
    rows += [("101100111", "09 00 00"), ("010011000", "09 09 00")]
    demand(np.array_equal(masks_of("delta_base_masks")[9], old), "another mask")
    made = [(bits(new), Mask(FLIPS, 9, new.count("1"), bytes.fromhex(hand))) for new, hand in rows]
    return shown("delta_base_masks", *made)


@valid
def delta_flips() -> Valid:
    """Flips by every coder; masks of the base in any order, and some more than once."""
    base = masks_of("delta_base_masks")
    rows = []
    for i, how in enumerate(EVERY[1:]):
        for index in (7 - i, 3 * i % 8):
            new = changed(base[index], (3, 20, 90)[i % 3], i)
            rows.append((new, flips(base[index], new, index, *how)))
    return shown("delta_base_masks", *rows)


@valid
def delta_flips_none() -> Valid:
    """No flips, by every coder: the masks are those of the base, constant ones among them."""
    base = masks_of("delta_base_masks")
    rows = [(i, how) for i in (0, 3, 5) for how in EVERY]
    return shown("delta_base_masks", *((base[i], flips(base[i], base[i], i, *how)) for i, how in rows))


@valid
def delta_flips_all() -> Valid:
    """Every bit flipped, by every coder."""
    base = masks_of("delta_base_masks")
    rows = [(i, how) for i in (0, 1, 9) for how in EVERY]
    return shown("delta_base_masks", *((~base[i], flips(base[i], ~base[i], i, *how)) for i, how in rows))


@valid
def delta_flips_of_no_bits() -> Valid:
    """A mask of no bits as flips of one, by every coder."""
    none = bits("")
    return shown("delta_base_masks", *((none, flips(none, none, 8, *how)) for how in EVERY))


@valid
def delta_flips_to_constant() -> Valid:
    """Masks that are constant after the flips, and were not before."""
    base = masks_of("delta_base_masks")
    rows = [(np.full(len(base[i]), bit), i, how) for i in (3, 9) for bit in (False, True) for how in EVERY[1:]]
    return shown("delta_base_masks", *((new, flips(base[i], new, i, *how)) for new, i, how in rows))


@valid
def delta_flips_lengths() -> Valid:
    """Masks of 1 to 17 bits, by every coder but that of constants."""
    base = masks_of("rans_bytes_short")
    rows = []
    for i, old in enumerate(base):
        new = changed(old, 80, i)
        rows.append((new, flips(old, new, i, *EVERY[1 + i % 7])))
    return shown("rans_bytes_short", *rows)


@valid
def delta_flips_long() -> Valid:
    """30,003 bits: few flips, many flips, in several lanes; flips in several zstd blocks."""
    old = masks_of("delta_base_masks")[10]
    hows = ((RANS_GAPS_OF_ONES, 5, 80, 2), (RANS_BYTES, 8, 16), (ZSTD_MASK,), (GAPS_OF_ONES,))
    rows = [(changed(old, density), how) for density, how in zip((3, 8, 128, 1), hows, strict=True)]
    return shown("delta_base_masks", *((new, flips(old, new, 10, *how)) for new, how in rows))


@valid
def delta_flips_beside_others() -> Valid:
    """Masks by coder 8 among masks by every other coder."""
    base = masks_of("delta_base_masks")
    rows = []
    for i, how in enumerate(EVERY):
        own = some_bits(100 + i, (256 if i == 0 else 99), i)
        new = changed(base[i], 12, i)
        rows += [(own, coded_mask(own, *how)), (new, flips(base[i], new, i, *EVERY[6]))]
    return shown("delta_base_masks", *rows)


@valid
def delta_flips_users() -> Valid:
    """Masks of a prototype's presence, of kept layers, of a tiled layer with idle positions: all as flips."""
    rows = [("1011", "1101", 0, EVERY[1]), ("0110010", "1110011", 1, EVERY[3])]
    rows += [("1011", "0100", 0, EVERY[0]), ("101011", "011011", 2, EVERY[5])]
    file = File(masks=[flips(bits(old), bits(new), index, *how) for old, new, index, how in rows])
    file.blocks = [Block(D.UINT8, RAW, bytes([3, 1, 2])), Block(D.UINT8, RAW, bytes([31, 32, 33, 34, 35, 36]))]
    file.prototypes = [Values(4, 0, presence=0)]
    file.entries = [kept("other", (7,), 1, 1), kept("presence", (2, 2), 2, 1), tiled("w", (2, 4), 3)]
    case = one(
        file,
        expect("other", D.UINT8, (7,), bytes([31, 32, 33, 0, 0, 34, 35])),
        expect("presence", D.UINT8, (2, 2), bytes([0, 36, 0, 0])),
        expect("w", D.UINT8, (2, 4), bytes([0, 1, 0, 2, 0, 1, 0, 2])),  # of 3 1 0 2: bits for 0, 1, 3, 4, 5, 7
    )
    return upon("delta_base_users", case)


@valid
def delta_flips_for_another_user() -> Valid:
    """The mask of a tiled layer of the base, without its idle positions, becomes a presence, and so on around."""
    rows = [("101011", "111011", 2, EVERY[1]), ("1011", "1001", 0, EVERY[4]), ("0110010", "0000001", 1, EVERY[7])]
    file = File(masks=[flips(bits(old), bits(new), index, *how) for old, new, index, how in rows])
    file.blocks = [Block(D.UINT8, RAW, bytes([1, 2, 3, 4, 5, 41, 42]))]
    file.prototypes = [Values(6, 0, presence=0)]
    file.entries = [kept("k", (4,), 1), tiled("w", (8,), 2)]
    case = one(
        file,
        expect("k", D.UINT8, (4,), bytes([41, 0, 0, 42])),
        expect("w", D.UINT8, (8,), bytes([0, 0, 0, 0, 0, 0, 0, 2])),  # of 1 2 3 0 4 5: bits for all but 3
    )
    return upon("delta_base_users", case)


@valid
def delta_flips_shared() -> Valid:
    """One mask by coder 8 that a presence, two kept layers and a tiled layer share."""
    file = File(masks=[flips(bits("1011"), bits("0111"), 0, *EVERY[2])])
    file.blocks = [Block(D.UINT8, RAW, bytes(range(1, 14)))]
    file.prototypes = [Values(4, 0, presence=0), Values(4, 0)]
    file.entries = [kept("k", (4,), 0), tiled("w", (4,), 0, 1), kept("j", (4, 1), 0)]
    file.entries.append(tiled("p", (5,), 0, 0))  # of 0 1 2 3: bits for 1, 2, 3
    file.masks.append(mask("101"))
    file.entries[-1].mask = 1
    case = one(
        file,
        expect("k", D.UINT8, (4,), bytes([0, 8, 9, 10])),
        expect("w", D.UINT8, (4,), bytes([0, 5, 6, 7])),
        expect("j", D.UINT8, (4, 1), bytes([0, 11, 12, 13])),
        expect("p", D.UINT8, (5,), bytes([0, 1, 0, 3, 0])),
    )
    return upon("delta_base_users", case)


@valid
def delta_flips_far_index() -> Valid:
    """Masks 127, 128 and 139 of the base, the last: an index of two bytes."""
    rows = []
    for index in (0, 127, 128, 139):
        old = pattern_of(index)
        new = np.roll(~old, 1)
        rows.append((new, flips(old, new, index, *EVERY[1])))
    return shown("delta_base_many", *rows)


@valid
def delta_flips_pages() -> Valid:
    """A base of three pages, and 1,200,000 bits of which some are flipped."""
    case = again("pages")
    full = np.frombuffer(bytes(case.networks[""][0].data), "<i1").copy()
    at = np.arange(1_200_000) % 3001 == 1500
    noisy = hashlib.shake_256(b"pemn pages").digest(150_000)  # as there
    old = np.unpackbits(np.frombuffer(noisy, np.uint8), bitorder="little").astype(np.bool_)
    new = old ^ at
    values = np.array([3, -1, 4, -128, 5, -9, 2], dtype="<i1")
    full[at] = np.where(new, values[np.arange(1_200_000) % 7], 0)[at]
    case.file.masks = [flips(old, new, 0, RANS_GAPS_OF_ONES, 11, 128, 1)]
    return upon("pages", one(case.file, expect("w", D.INT8, (1200, 1000), full)))
