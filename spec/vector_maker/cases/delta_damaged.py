"""The invalid vectors for deltas: sections 5.4 and 6.2 of the specification, but for blocks, with 3, 4.3 and 4.7.

Every row is one defect of a file that is valid without it, as far as that is possible. Those of blocks are in
`delta_damaged_blocks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from writer.coders import D, bits, frame, gap_bytes, pack, u
from writer.delta import FLIPS, XOR, coded_mask, flips, flips_payload, xor_payload
from writer.ids import CONSTANT, GAPS_OF_ONES, PLANES, RAW, RAW_MASK, ZSTD_MASK
from writer.rans import RANS_BYTES, RANS_GAPS_OF_ONES, byte_frequencies, rans
from writer.writer import Block, File, Mask, Values, kept, tensor, tiled

from cases.arranged import arranged_rows
from cases.delta_blocks import User, Xor, data_of, tensors
from cases.delta_masks import EVERY, masks_of
from cases.file import section_3
from cases.manifest import limit_rows
from cases.masks import FRAMES, mask_rows
from cases.rows import CHECKSUM, LIMIT, MANIFEST, PAYLOAD, VERSION, Row, flip, minor, of, put, whole
from cases.valid import demand, digest, held, named


def beside(base: str) -> str:
    """The path of a valid vector from the folder of the invalid ones."""
    return f"../valid/{base}.pemn"


def delta(base: str, file: File) -> File:
    """The file as a delta upon a valid vector."""
    named(file, digest(base)).header = {"minor": 3}
    return file


BY_FLIPS, BY_XOR, BY_BOTH = "delta_flips_users", "delta_xor_by_hand", "delta_kept_among_others"
BASES = {BY_FLIPS: "delta_base_users", BY_XOR: "one_tensor", BY_BOTH: "delta_base_kept"}


def ids() -> Iterator[Row]:
    """Files that are valid but for the minor version or an id."""
    for name, case in (("flips", BY_FLIPS), ("xor", BY_XOR), ("both", BY_BOTH)):
        for number in (0, 1, 2):
            file = of(case, minor(number))
            reason = f"3: coder 8 or 6 in a file of minor {number}"
            yield Row(f"delta_minor_{number}_{name}", MANIFEST, reason, file, base=beside(BASES[case]))
        file = of(case, minor(6))
        yield Row(f"delta_minor_6_{name}", VERSION, "3: minor 6", file, base=beside(BASES[case]))
    base = beside(BASES[BY_FLIPS])
    for coder in (9, 255):
        file = of(BY_FLIPS, put("masks", 0, coder=coder))
        yield Row(f"delta_mask_coder_{coder}", MANIFEST, f"4.3: unknown mask coder {coder} in minor 3", file, base=base)
    base = beside(BASES[BY_XOR])
    for coder in (7, 255):
        file = of(BY_XOR, put("blocks", 0, coder=coder))
        reason = f"4.4: unknown block coder {coder} in minor 3"
        yield Row(f"delta_block_coder_{coder}", MANIFEST, reason, file, base=base)
    file = of("arranged_layers", put("prototypes", 0, generator=3), minor(3))
    yield Row("generator_3_minor_3", MANIFEST, "4.5: unknown generator 3 in minor 3, in a row like that of 2", file)


def with_key(case: str, key: str, value: str | bytes | None) -> File:
    """The file of a delta with another key and value instead of its own, or with none."""
    file = of(case)
    file.metadata = [] if value is None else [(key, value)]
    return file


def keys() -> Iterator[Row]:
    """Section 6.2: there must be a digest, of 64 digits; whether the base is there or not."""
    for name, case in (("flips", BY_FLIPS), ("xor", BY_XOR), ("both", BY_BOTH)):
        right = digest(BASES[case])
        demand(right != right.upper(), "a digest without letters")
        base = beside(BASES[case])
        yield Row(f"delta_no_key_{name}", MANIFEST, "6.2: no pemn.base", with_key(case, "", None), base=base)
        yield Row(f"delta_no_key_{name}_no_base", MANIFEST, "6.2: no pemn.base", with_key(case, "", None))
        for what, reason, value in (
            ("upper", "upper-case digits", right.upper()),
            ("63", "63 digits", right[:-1]),
            ("63_zeros", "63 digits", "0" * 63),
            ("65", "65 digits", right + "0"),
            ("empty", "no digits", ""),
        ):
            reason = f"6.2: {reason} as pemn.base"
            file = with_key(case, "pemn.base", value)
            yield Row(f"delta_key_{what}_{name}", MANIFEST, reason, file, base=base)
    right = digest(BASES[BY_XOR])
    for what, reason, value in (
        ("letter", "64 characters, one of which is no digit", right[:-1] + "g"),
        ("one_upper", "an upper-case digit among others", "F" + right[1:]),
        ("space", "63 digits and a space", right[:-1] + " "),
        ("newline", "64 digits and a newline", right + "\n"),
        ("space_before", "a space and 64 digits", " " + right),
        ("prefix", "64 digits behind a name", f"sha256:{right}"),
        ("half", "the first 32 digits", right[:32]),
        ("wide", "full-width digits", "".join(chr(ord(c) + 0xFEE0) for c in right)),
        ("arabic", "a digit that is none of these, in 63 others", right[:-1] + "\u0663"),
        ("nul", "63 digits and U+0000", right[:-1] + "\0"),
    ):
        file = with_key(BY_XOR, "pemn.base", value)
        yield Row(f"delta_key_{what}", MANIFEST, f"6.2: {reason} as pemn.base", file, base=beside(BASES[BY_XOR]))
    for what, key in (("upper", "pemn.Base"), ("longer", "pemn.base.sha256"), ("short", "base")):
        file = with_key(BY_XOR, key, right)
        reason = "6.2: the digest under another key"
        yield Row(f"delta_other_key_{what}", MANIFEST, reason, file, base=beside(BASES[BY_XOR]))
    yield Row(
        "delta_no_key_small_max_bytes",
        MANIFEST,
        "6.2: no pemn.base; the manifest is checked before the size of the result",
        with_key(BY_XOR, "", None),
        1,
    )
    for task in ("x", "de"):
        file = of("delta_tasks", whole(metadata=[]))
        file.blocks = [Block(D.FLOAT32, RAW, bytes(68))]
        demand(file.masks[0].coder == FLIPS and file.entries[4].task == 2, "the mask is not that of the second task")
        reason = "6.2: no pemn.base, but a mask by coder 8 that only task de needs"
        yield Row(f"delta_no_key_task_{task}", MANIFEST, reason, file, task=task)
    checksum = of(BY_XOR).build()
    yield Row(
        "delta_checksum",
        CHECKSUM,
        "3: a delta whose last byte was damaged",
        flip(checksum, -1),
        base=beside(BASES[BY_XOR]),
    )


BASE_MASKS = "delta_base_masks"
OLD, NEW = bits("101100111"), bits("111100101")  # mask 9 of it, and what is made of it
CHANGED = OLD ^ NEW


def shows(payload: bytes, length: int = 9, ones: int | None = None) -> File:
    """A layer of one prototype element that shows a mask by coder 8, upon `delta_base_masks`."""
    count = int(NEW.sum()) if ones is None else ones
    file = File([], [], [Mask(FLIPS, length, count, payload)], [Block(D.INT8, RAW, b"\x05")], [Values(1, 0)])
    file.entries = [tiled("w", (length,), 0)]
    return delta(BASE_MASKS, file)


def mask_row(name: str, reason: str, payload: bytes, length: int = 9, ones: int | None = None) -> Row:
    """A mask that does not decode."""
    return Row(f"delta_flips_{name}", PAYLOAD, f"5.4: {reason}", shows(payload, length, ones), base=beside(BASE_MASKS))


def heads() -> Iterator[Row]:
    """Yield defects of the fields before the flips."""
    raw = coded_mask(CHANGED, RAW_MASK)
    good = flips_payload(9, raw)
    demand(np.array_equal(masks_of(BASE_MASKS)[9], OLD) and len(good) == 5, "another mask")
    for size, what in enumerate(("base mask", "flipped", "coder", "flips", "last byte of the flips")):
        yield mask_row(f"ends_{size}", f"ends before the {what}", good[:size])
    yield mask_row("left_over", "a byte after the flips", good + b"\0")
    for index in (11, 127, 128, 9 + 2**32, 2**63 - 1):
        yield mask_row(f"mask_{index}", f"mask {index} of 11", flips_payload(index, raw))
    yield mask_row("mask_not_minimal", "a base mask that is not minimal", flips_payload(b"\x89\0", raw))
    yield mask_row("mask_ten_bytes", "a base mask of ten bytes", flips_payload(b"\x89" + b"\x80" * 8 + b"\0", raw))
    yield mask_row("mask_as_reference", "a base mask counted from 1, and so of no bits", flips_payload(8, raw))
    yield mask_row("flipped_not_minimal", "flipped is not minimal", flips_payload(9, raw, flipped=b"\x82\0"))
    for name, flipped in (("above_length", 10), ("1_less", 1), ("1_more", 3), ("0", 0), ("9", 9), ("2_62", 1 << 62)):
        yield mask_row(f"flipped_{name}", f"flipped is {flipped}, of 2", flips_payload(9, raw, flipped=flipped))
    for coder in (8, 9, 255):
        yield mask_row(f"coder_{coder}", f"flips by coder {coder}", flips_payload(9, raw, coder=coder))
    for coder in (8, 9, 255):
        nothing = coded_mask(OLD ^ OLD, CONSTANT)
        payload = flips_payload(9, nothing, coder=coder)
        yield mask_row(f"coder_{coder}_of_none", f"no flips, by coder {coder}", payload, ones=int(OLD.sum()))
    twice = flips_payload(9, Mask(FLIPS, 9, 2, flips_payload(9, coded_mask(OLD ^ CHANGED, RAW_MASK))))
    yield mask_row("of_flips", "flips by coder 8, of a base mask that would give them", twice)


def lengths() -> Iterator[Row]:
    """Masks of other lengths and other ones."""
    base = masks_of(BASE_MASKS)

    def of_length(name: str, reason: str, index: int, length: int) -> Row:
        payload = flips_payload(index, Mask(CONSTANT, length, 0))
        return mask_row(f"length_{name}", reason, payload, length, int(base[index][:length].sum()))

    yield of_length("8", "a base mask of 9 bits for one of 8", 9, 8)
    yield of_length("10", "a base mask of 9 bits for one of 10", 9, 10)
    yield of_length("16", "a base mask of 9 bits for one of 16", 9, 16)
    yield of_length("0", "a base mask of 9 bits for one of none", 9, 0)
    yield of_length("of_0", "a base mask of no bits for one of 9", 8, 9)
    yield of_length("330", "a base mask of 331 bits for one of 330", 0, 330)
    yield of_length("332", "a base mask of 331 bits for one of 332", 0, 332)
    yield of_length("2_30", "a base mask of 331 bits for one of 2^30", 0, 1 << 30)
    raw = coded_mask(CHANGED, RAW_MASK)
    for name, ones in (("more", 7), ("fewer", 5), ("none", 0), ("all", 9)):
        demand(ones != NEW.sum(), "the number of ones is right")
        yield mask_row(f"ones_{name}", f"{ones} ones instead of {NEW.sum()}", flips_payload(9, raw), ones=ones)
    none = coded_mask(OLD ^ OLD, CONSTANT)
    yield mask_row("ones_of_none", "no flips, but a one less than the base's", flips_payload(9, none), ones=5)
    yield mask_row(
        "ones_of_all", "all flipped, but as many ones as before", flips_payload(9, coded_mask(OLD | True, 0))
    )


def inner() -> Iterator[Row]:
    """The flips themselves."""
    raw = coded_mask(CHANGED, RAW_MASK)

    def row(name: str, reason: str, coder: int, coded: bytes, flipped: int = 2) -> Row:
        return mask_row(f"by_{name}", reason, flips_payload(9, Mask(coder, 9, flipped, coded)))

    def spoiled(name: str, reason: str, coder: int, edit: Callable[[bytes], bytes]) -> Row:
        """Flips by a coder with its numbers, edited."""
        return row(name, reason, coder, edit(coded_mask(CHANGED, *EVERY[coder]).payload))

    yield row("constant_mixed", "two flips by coder 0", CONSTANT, b"")
    yield row("constant_size", "no flips by coder 0, and their bits", CONSTANT, bytes(2), 0)
    yield row("raw_short", "a byte of the bits is missing", RAW_MASK, raw.payload[:1])
    yield row("raw_padding", "an unused bit of the flips is 1", RAW_MASK, pack(np.append(CHANGED, True)))
    yield row(
        "raw_padding_counted",
        "an unused bit of the flips is 1, and counted",
        RAW_MASK,
        pack(np.append(CHANGED, True)),
        3,
    )
    for name in ("missing", "magic", "declares_more", "declares_less", "declares_nothing", "declares_2_48", "trailing"):
        reason, wrap = FRAMES[name]
        yield row(f"frame_{name}", f"the frame {reason}", ZSTD_MASK, wrap(pack(CHANGED)))
    yield row("gaps_at_length", "a flip of bit 9 of 9", GAPS_OF_ONES, frame(gap_bytes([1, 9])))
    yield row("gaps_fewer", "a gap less than flips", GAPS_OF_ONES, frame(gap_bytes([1])))
    yield row("gaps_more", "a gap more than flips", GAPS_OF_ONES, frame(gap_bytes([1, 7, 8])))
    yield row("gaps_open_end", "the last gap byte is 255", GAPS_OF_ONES, frame(gap_bytes([1]) + b"\xff"))
    yield row(
        "gaps_of_mask", "the gaps of the mask instead of its flips", GAPS_OF_ONES, frame(gap_bytes([0, 1, 2, 3, 6, 8]))
    )
    for coder in (RANS_BYTES, RANS_GAPS_OF_ONES, RANS_GAPS_OF_ONES + 1):
        yield spoiled(f"{coder}_empty", "no bytes for rANS", coder, lambda _: b"")
        yield spoiled(f"{coder}_cut", "a byte of rANS is missing", coder, lambda coded: coded[:-1])
        yield spoiled(f"{coder}_word", "a word of rANS left over", coder, lambda coded: coded + b"\0\0")
        yield spoiled(f"{coder}_odd", "a byte of rANS left over", coder, lambda coded: coded + b"\0")
    wrong = rans(pack(CHANGED), byte_frequencies(100), 1, ends={0: 65537}).build()
    yield row("5_end", "the last state is not 2^16", RANS_BYTES, b"\x64" + wrong)
    no_mask = File(blocks=[Block(D.INT8, RAW, b"\x05")], prototypes=[Values(1, 0)])
    no_mask.masks = [flips(OLD ^ OLD, OLD, 0, RAW_MASK)]
    no_mask.entries = [tiled("w", (9,), 0)]
    reason = "5.4: mask 0 of a base without masks"
    yield Row("delta_flips_no_masks", PAYLOAD, reason, delta("one_tensor", no_mask), base=beside("one_tensor"))


def users() -> Iterator[Row]:
    """Masks by coder 8 in other places."""
    base = beside(BASES[BY_FLIPS])
    for index, what in enumerate(("presence", "kept", "kept_2", "tiled")):
        file = of(BY_FLIPS)
        row = file.masks[index]
        row.payload = u(3) + row.payload[1:]
        yield Row(f"delta_flips_user_{what}", PAYLOAD, "5.4: mask 3 of 3", file, base=base)
    old, new = bits("101011"), bits("0110110")
    file = of(
        BY_FLIPS, put("masks", 3, length=7, ones=4, payload=flips_payload(1, coded_mask(bits("0110010") ^ new, 1)))
    )
    demand(len(old) == 6, "as many bits as active positions")
    yield Row("delta_flips_active", PAYLOAD, "7: the result has a bit more than active positions", file, base=base)


@cache
def invalid_vectors() -> dict[str, Row]:
    """The invalid vectors of before that are bases here."""
    found = [*section_3(), *mask_rows(), *arranged_rows(), *limit_rows()]
    return {row.name: row for row in found}


def upon_invalid(name: str, row: Row, file: File) -> Row:
    """A file as a delta upon an invalid vector, whose error class it gets."""
    named(file, hashlib.sha256(row.bytes()).hexdigest()).header = {"minor": 3}
    reason = f"6.2: the base is the invalid vector {row.name}"
    return Row(f"delta_upon_{name}", row.error, reason, file, row.max_bytes, base=f"{row.name}.pemn")


def one_xor(dtype: D, count: int) -> File:
    """A tensor that refers to entry 0, without differences."""
    size = {D.FLOAT32: 4, D.UINT8: 1}[dtype]
    file = File(blocks=[Block(dtype, XOR, xor_payload((1,), RAW, bytes(size * count)))])
    file.entries = [tensor("t", (count,))]
    return file


def one_flips(length: int, ones: int) -> File:
    """A kept layer whose mask is mask 0 of the base."""
    file = File(masks=[Mask(FLIPS, length, ones, flips_payload(0, Mask(CONSTANT, length, 0)))])
    file.blocks, file.entries = [Block(D.UINT8, RAW, bytes(ones))], [kept("k", (length,), 0)]
    return file


def bases() -> Iterator[Row]:
    """Section 9: an error in the base has the class that it has there."""
    rows = invalid_vectors()
    for name in (
        "magic_zip",
        "magic_first_byte",
        "version_major_2",
        "version_minor_255",
        "truncated_0",
        "truncated_8",
        "truncated_payload",
        "trailing_byte",
        "flags_1",
        "checksum_header_crc",
        "checksum_manifest",
        "checksum_payload",
        "payload_size_limit",
        "manifest_size_zero",
    ):
        yield upon_invalid(name, rows[name], one_xor(D.FLOAT32, 3))
    yield upon_invalid("magic_zip_flips", rows["magic_zip"], one_flips(9, 6))
    yield upon_invalid("mask_raw_padding", rows["mask_raw_padding"], one_xor(D.UINT8, 11))
    yield upon_invalid("mask_raw_padding_flips", rows["mask_raw_padding"], one_flips(11, 3))
    yield upon_invalid("mask_raw_ones", rows["mask_raw_ones_more"], one_flips(11, 3))
    yield upon_invalid("arranged_digest", rows["arranged_digest"], one_xor(D.FLOAT32, 30))
    file = File(blocks=[Block(D.FLOAT32, XOR, xor_payload((1,), RAW, bytes(120)))], prototypes=[Values(30, 0)])
    file.masks, file.entries = [Mask(CONSTANT, 0, 0)], [tiled("w", (0,), 0)]
    yield upon_invalid("arranged_digest_prototype", rows["arranged_digest"], file)
    yield upon_invalid("arranged_mask_not_idle", rows["arranged_mask_not_idle_zeros"], one_xor(D.FLOAT32, 8))
    yield upon_invalid("prototype_2_48", rows["prototype_2_48"], one_xor(D.FLOAT32, 4))
    yield upon_invalid("arranged_2_40_both", rows["arranged_2_40_both"], one_xor(D.FLOAT32, 4))
    keyless = next(row for row in keys() if row.name == "delta_no_key_xor")
    yield upon_invalid("no_key", keyless, one_xor(D.FLOAT32, 3))
    for name in ("checksum_payload", "magic_zip"):
        middle = upon_invalid(name, rows[name], one_xor(D.FLOAT32, 3))
        yield upon_invalid(f"upon_{name}", middle, one_xor(D.FLOAT32, 3))
    broken = mask_row("flipped_0", "", flips_payload(9, coded_mask(CHANGED, RAW_MASK), flipped=0))
    demand(broken.name in [row.name for row in heads()], "no vector of this name")
    yield upon_invalid("flips", broken, one_flips(9, 6))


def delta_limits() -> Iterator[Row]:
    """Yield limits of the delta in all, and of every part of each base by itself; one byte more is enough."""

    def row(name: str, reason: str, base: str, most: int, file: File) -> Row:
        return Row(f"delta_max_bytes_{name}", LIMIT, f"4.7: {reason}", file, most - 1, base=beside(base))

    def xor(base: str, index: int) -> File:
        """A tensor that refers to an entry."""
        old = data_of(held(base)[index])
        return tensors(base, Xor(D.FLOAT32, RAW, [User((len(old) // 4,), index + 1, old, old)])).file

    yield row("own", "the delta takes 12 bytes", "one_tensor", 12, xor("one_tensor", 0))
    reason = "the delta takes 24 bytes, of the base an entry of 24, its prototype of 16, and their block of 16"
    yield row("base_entry", reason, "tile_simple", 24, xor("tile_simple", 0))
    reason = "the delta takes 20 bytes, of the base an entry of 20, and its prototype of 36"
    base = "delta_base_longer_prototypes"
    yield row("base_prototype", f"{reason}, which is made", base, 36, xor(base, 0))
    reason += ", of which its block stores 8"
    yield row("base_prototype_partial", reason, base, 36, xor(base, 1))
    base = "delta_base_kept"
    reason = "the delta takes 36 bytes, of the base an entry of 36, but its block 60"
    yield row("base_block", reason, base, 60, xor(base, 0))
    reason = "the delta takes 36 bytes, of the base an entry of 36, its prototype, one of five, of 36, but the block 60"
    yield row("base_prototype_block", reason, "delta_base_prototypes", 60, xor("delta_base_prototypes", 0))
    reason = "the delta takes 36 bytes, of its base an entry and a block of 36, of the base of that also a block of 60"
    yield row("base_of_base", reason, "delta_xor_signs", 60, xor("delta_xor_signs", 0))
    file = shows(flips_payload(9, coded_mask(CHANGED, RAW_MASK)))
    reason = "the delta takes 10 bytes, of the base, which holds much more, nothing but a mask is needed"
    yield row("base_mask", reason, BASE_MASKS, 10, file)
    file = File(blocks=[Block(D.FLOAT32, XOR, xor_payload((0,), PLANES, b"\2\0" * 4))])
    file.entries = [tensor("t", (1 << 40,))]
    reason = "4.7: 2^40 elements in a tiny delta"
    yield Row("delta_2_40", LIMIT, reason, delta("one_tensor", file), base=beside("one_tensor"))


def delta_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*ids(), *keys(), *heads(), *lengths(), *inner(), *users(), *bases(), *delta_limits())
