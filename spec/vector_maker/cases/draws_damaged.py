"""The invalid vectors for generators 3 and 4: sections 3, 4.5, 4.7, 6.2, 7, 8.4, 8.6, 8.8 and 8.9."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from writer import dialects, drawn, numbers
from writer.coders import D, Number, frame, zstd_block
from writer.dialects import LOW, SCALE, multiply_then_add
from writer.drawn import number, rounded, signed
from writer.ids import CONSTANT
from writer.numbers import WORD
from writer.writer import Dialect, File, Mask

from cases.content import BAD_SCALES, HALF, INFINITY, LARGEST, MINUS, NAN, ONE, TWO, Array
from cases.delta_damaged import one_xor, upon_invalid
from cases.draws import LOW_HALF, RARE, THIRD, Maker, by_3, by_4, is_infinite, rare
from cases.files import Made, layered
from cases.rows import LIMIT, MANIFEST, PAYLOAD, Row, edited, minor, of, put
from cases.valid import demand

MOST_DRAWS = 1 << 40
SEED = 90  # of the prototype that most rows are defects of
LOWS = {"infinity": INFINITY, "minus_infinity": INFINITY | MINUS, "nan": 0x7FC00000, "minus_nan": 0xFFC00000}
LOWS |= {"signalling_nan": 0x7F800001, "largest_nan": 0xFFFFFFFF}


@dataclass
class Family:
    """One of the two generators: the names of its distributions, and which of them stand in some rows."""

    prefix: str
    generator: int
    make: Maker
    names: dict[int, str]
    normals: tuple[int, ...]
    unknown: tuple[int, ...]  # distributions that it has not
    rows: tuple[int, ...]  # of the offsets of 2^40, 2^63 - 1, ten bytes, of long lengths, and of a length of 2^48
    reason_low: str

    @property
    def minor(self) -> int:
        """Return the minor version that it came with."""
        return self.generator + 1

    def plain(self, distribution: int, *edits: Any, offset: int = 2) -> File:
        """Return a file of one prototype, edited."""
        file = layered(self.make(distribution, SEED, offset, ONE, 20), minor=self.minor)
        return edited(file, *edits)

    def put(self, distribution: int, /, **fields: Any) -> File:
        """Return that file with other fields in the row of the prototype."""
        return self.plain(distribution, put("prototypes", 0, **fields))

    def row(self, name: str, reason: str, file: File, error: str = MANIFEST) -> Row:
        """Return a row of it."""
        return Row(f"{self.prefix}_{name}", error, reason, file)


F3 = Family(
    "drawn",
    3,
    by_3,
    {drawn.UNIFORM: "uniform", drawn.NORMAL: "normal", drawn.UNIFORM_SIGNS: "uniform_signs"}
    | {drawn.NORMAL_SIGNS: "normal_signs"},
    (drawn.NORMAL, drawn.NORMAL_SIGNS),
    (0, 5, 255),
    (drawn.UNIFORM, drawn.UNIFORM, drawn.UNIFORM, drawn.NORMAL, drawn.UNIFORM),
    "another",
)
UNIFORM, UNIFORM_TWICE, NORMAL, NORMAL_OF_C, NORMAL_UNFUSED = range(1, 6)
F4 = Family(
    "dialect",
    4,
    by_4,
    dict(enumerate(("uniform", "uniform_twice", "normal", "normal_of_c", "normal_unfused"), 1)),
    (NORMAL, NORMAL_OF_C, NORMAL_UNFUSED),
    (0, 6, 9, 255),
    (UNIFORM_TWICE, NORMAL_OF_C, UNIFORM, NORMAL_OF_C, UNIFORM_TWICE),
    "a normal",
)


def cut(file: File, after: int, by: int | None = None, offset: bytes = b"\2") -> File:
    """Return the file without what is `after` bytes behind the beginning of the seed: `by` bytes, or all."""
    at = file.manifest().index(SEED.to_bytes(4, "little") + offset) + after
    if by is None:
        file.edit_manifest = itemgetter(slice(at))
    else:
        file.edit_manifest = lambda plain: plain[:at] + plain[at + by :]
    return file


# --- sections 3 and 4.5 -------------------------------------------------------------------------------------


def ids(f: Family) -> Iterator[Row]:
    """Yield unknown versions, generators and distributions."""
    for before in range(f.minor):
        for d, name in f.names.items():
            reason = f"3: generator {f.generator} in a file of minor {before}"
            yield f.row(f"minor_{before}_{name}", reason, f.plain(d, minor(before)))
    for d, name in f.names.items():
        for other in (0, 1, 2, f.generator + 1, 255):
            known = f"in the row of generator {f.generator} stands" if other in (1, 2) else "unknown generator"
            yield f.row(f"generator_{other}_{name}", f"4.5: {known} {other}", f.put(d, generator=other))
        for other in f.unknown:
            yield f.row(
                f"distribution_{other}_{name}", f"4.5: unknown distribution {other}", f.put(d, distribution=other)
            )
    for other in (0, f.generator + 1, 255):
        file = of("generator_layers", put("prototypes", 0, generator=other), minor(f.minor))
        reason = f"4.5: unknown generator {other} in minor {f.minor}"
        yield Row(f"generator_{other}_minor_{f.minor}", MANIFEST, reason, file)
    yield from ids_of_4() if f is F4 else ids_of_3()
    for base in ("generator_patches", "arranged_patches"):
        file = of(base, put("prototypes", 0, generator=f.generator), minor(f.minor))
        yield f.row(f"as_{base}", f"4.5: generator {f.generator} in a row of another, which goes on otherwise", file)


def ids_of_3() -> Iterator[Row]:
    """Yield what generator 1 has not got in minor 4."""
    for d in (0, 4):
        file = of("generator_layers", put("prototypes", 0, distribution=d), minor(4))
        reason = f"4.5: unknown distribution {d} of generator 1 in minor 4"
        yield Row(f"generator_1_distribution_{d}", MANIFEST, reason, file)


def ids_of_4() -> Iterator[Row]:
    """Yield what coders and the other generators have not got in minor 5."""
    for table, coder in (("masks", 9), ("blocks", 7)):
        file = of("generator_layers", put(table, 0, coder=coder), minor(5))
        reason = f"4.3, 4.4: unknown coder {coder} of {table} in minor 5"
        yield Row(f"coder_{coder}_of_{table}_minor_5", MANIFEST, reason, file)
    for generator, base in enumerate(("generator_layers", "arranged_layers", "drawn_known_answers"), 1):
        for d in (0, 5, 9):
            file = of(base, put("prototypes", 0, distribution=d), minor(5))
            reason = f"4.5: unknown distribution {d} of generator {generator} in minor 5"
            yield Row(f"generator_{generator}_distribution_{d}_minor_5", MANIFEST, reason, file)
    file = F4.put(NORMAL_UNFUSED, generator=3)
    yield F4.row("generator_3_normal_unfused", "4.5: unknown distribution 5 of generator 3", file)


def fields(f: Family) -> Iterator[Row]:
    """Yield fields of the row beyond their legal range, and rows that end early."""

    def row(name: str, reason: str, d: int, /, **fields: Any) -> Row:
        return f.row(name, f"4.5: {reason}", f.put(d, **fields))

    for d in f.normals:
        for length in (1, 15):
            yield row(f"length_{length}_{f.names[d]}", f"length {length} of a normal distribution", d, length=length)
    for d, name in f.names.items():
        yield row(f"length_zero_{name}", "length 0", d, length=0)
        reason = "offset + length + 16 is 2^40 + 1"
        yield row(f"draws_above_2_40_{name}", reason, d, offset=MOST_DRAWS - 20 - 16 + 1)
    yield row("offset_2_40", "an offset of 2^40", f.rows[0], offset=MOST_DRAWS)
    yield row("offset_2_63", "an offset of 2^63 - 1", f.rows[1], offset=(1 << 63) - 1)
    yield row("offset_above_2_63", "an offset of ten bytes", f.rows[2], offset=b"\x80" * 9 + b"\x01")
    yield row("offset_not_minimal", "an offset that is not minimal", f.rows[2], offset=b"\x82\x00")
    for offset in (0, 2):
        reason = f"length and an offset of {offset} are above 2^40 - 16"
        length = MOST_DRAWS - 15 - offset
        yield row(f"length_and_{offset}_above_2_40", reason, f.rows[3], length=length, offset=offset)
    yield row("length_2_48", "a length of 2^48", f.rows[4], length=1 << 48)
    for d, name in f.names.items():
        for what, scale in BAD_SCALES.items():
            yield row(f"scale_{what}_{name}", f"scale is {what.replace('_', ' ')}", d, scale=scale)
    for d, tail, which in ((1, "", "the"),) if f is F3 else ((1, "_uniform", "a"), (2, "_uniform_twice", "a")):
        for what, low in LOWS.items():
            yield row(f"low_{what}{tail}", f"low is {what.replace('_', ' ')}", d, low=low)
        yield row(f"low_missing{tail}", f"no low for {which} uniform distribution", d, low=None)
    for d, name in f.names.items():
        if d in f.normals or (d == drawn.UNIFORM_SIGNS and f is F3):
            yield row(f"low_of_{name}", f"low for {f.reason_low} distribution", d, low=HALF)
    if f is F3:
        for d, name in f.names.items():
            yield row(f"patch_at_length_{name}", "a patch at index length", d, patches={20: ONE})
        yield row("patch_in_last_draws", "a patch below length + 16", drawn.NORMAL, patches={3: ONE, 35: ONE})
        yield row("patch_huge", "a patch at 2^62", UNIFORM, patches={0: ONE}, gaps=[1 << 62])
        reason = "a gap that is not minimal"
        yield row("patch_not_minimal", reason, UNIFORM, patches={3: ONE}, gaps=[b"\x83\x00"])
    yield from ends(f)


def ends(f: Family) -> Iterator[Row]:
    """Yield rows that end early, and prototypes that nothing uses."""
    tail = {"offset": 5, "scale": 9, "patches": 10, "half_of_digest": 12, "digest": 14}
    of_twice = {"seed": 4, "offset": 5, "half_of_scale": 7, "scale": 9, "half_of_low": 11, "low": 13, "patches": 14}
    by_4 = {UNIFORM_TWICE: of_twice | {"half_of_digest": 16}, NORMAL_OF_C: tail, NORMAL_UNFUSED: tail}
    of_uniform = {"seed": 4, "half_of_seed": 2, "offset": 6, "half_of_offset": 5, "scale": 10, "low": 14}
    by_3: dict[int, dict[str, int]] = {drawn.UNIFORM: of_uniform, drawn.NORMAL: {"scale": 10, "half_of_scale": 8}}
    for d, parts in (by_3 if f is F3 else by_4).items():
        for name, size in parts.items():
            file = cut(f.plain(d, offset=300), size, None, b"\xac\x02") if f is F3 else cut(f.plain(d), size)
            reason = f"4.5: the manifest ends after {name.replace('_', ' ')}"
            yield f.row(f"ends_after_{name}_{f.names[d]}", reason, file)
    if f is F4:
        yield f.row("low_cut", "4.5: a low of three bytes", cut(f.plain(UNIFORM_TWICE), 9, 1))
    unused = {"": drawn.NORMAL} if f is F3 else {"_unfused": NORMAL_UNFUSED, "": NORMAL_OF_C}
    for tail_of, d in unused.items():
        file = f.plain(d)
        file.prototypes.append(f.make(d, SEED, 40, ONE, 20)[0])
        what = "a prototype with nothing fused" if tail_of else "a prototype"
        yield f.row(f"unused{tail_of}", f"4.5: {what} that no layer uses", file)


# --- section 4.7 --------------------------------------------------------------------------------------------


def limits(f: Family) -> Iterator[Row]:
    """Yield elements of prototypes and layers, and once the draws of the prototype that has most of them."""
    for d, name in f.names.items():
        file = f.put(d, offset=MOST_DRAWS - 20 - 16)
        yield f.row(f"2_40_{name}", "4.7: offset + length + 16 is 2^40 in a tiny file", file, LIMIT)
        file = layered(f.make(d, 91, 624, ONE, 20), n=6, minor=f.minor)
        reason = "4.7: 24 bytes of layer, 80 of prototype, 2640 of draws"
        yield Row(f"{f.prefix}_max_bytes_{name}", LIMIT, reason, file, 4 * (6 + 20 + 624 + 20 + 16) - 1)
    reason = "4.7: a prototype of 2^39 elements in a tiny file"
    yield f.row("2_39", reason, f.put(f.rows[0], length=1 << 39), LIMIT)
    for name, third, fourth in (("offsets", 700, 690),) if f is F3 else (("drawn", 700, 690), ("dialect", 690, 700)):
        rows: list[Made] = [by_3(drawn.UNIFORM, 91, 0, ONE, 20), by_3(drawn.NORMAL, 91, third, ONE, 16)]
        rows.append(f.make(drawn.NORMAL if f is F3 else NORMAL_OF_C, 91, fourth, ONE, 17))
        m = max(third + 32, fourth + 33)
        name, what = (name, "") if f is F3 else (f"most_{name}", " of generators 3 and 4")
        reason = f"4.7: 212 bytes each of layers and prototypes, {4 * m} of draws of one seed{what}"
        file = layered(*rows, minor=f.minor)
        yield Row(f"{f.prefix}_max_bytes_{name}", LIMIT, reason, file, 2 * 212 + 4 * m - 1)
    most, draws, what = (988, 140, "") if f is F3 else (1184, 148, " of generators 3 and 4")
    reason = f"4.7: beside other generators: {most} bytes of layers and prototypes, {draws} of draws{what}"
    file = of(f"{f.prefix}_beside_others")
    yield Row(f"{f.prefix}_max_bytes_others", LIMIT, reason, file, most + draws - 1)
    reason = "4.7: of task a 80 bytes, of all prototypes 144, and 2244 of the draws of two seeds, one of them of task b"
    yield Row(f"{f.prefix}_max_bytes_task", LIMIT, reason, of(f"{f.prefix}_tasks"), 80 + 144 + 2244 - 1, "a")
    d = drawn.NORMAL if f is F3 else NORMAL_OF_C
    row = f.row(f"2_40_{f.names[d]}", "", f.put(d, offset=MOST_DRAWS - 20 - 16), LIMIT)
    yield upon_invalid(f"{f.prefix}_2_40", row, one_xor(D.FLOAT32, 20))


# --- sections 7 and 8 ---------------------------------------------------------------------------------------


def with_digest_of(right: Made, wrong: Array, minor: int = 5) -> File:
    """Return a file of a prototype with the digest of other values."""
    prototype, made = right
    demand(numbers.digest(wrong) != prototype.digest, "the digest is right")
    prototype.digest = numbers.digest(wrong)
    return layered((prototype, made), minor=minor)


def but(values: Array, index: int, bits: int) -> Array:
    """Return the values with another one at an index, where +0.0 was."""
    demand(values[index] == 0, "not +0.0")
    return np.where(np.arange(len(values)) == index, np.uint32(bits), values)


def digests_3() -> Iterator[Row]:
    """Yield digests of what a decoder may make instead, of generator 3; patched, of scale 0.3."""

    def row(name: str, reason: str, d: int, wrong: Array, length: int = 20) -> Row:
        wrong[2] = TWO
        file = with_digest_of(by_3(d, 92, 5, THIRD, length, {2: TWO}), wrong, 4)
        return F3.row(f"digest_{name}", reason, file, PAYLOAD)

    def values(d: int, seed: int = 92, offset: int = 5) -> Array:
        return drawn.elements(d, seed, offset, THIRD, 20, low=LOW_HALF)

    for d, name in F3.names.items():
        yield row(name, "8.6: the digest of elements with other lowest bits", d, values(d) ^ np.uint32(1))
        yield row(f"offset_0_{name}", "8.8: the digest of what is drawn from offset 0", d, values(d, offset=0))
        yield row(f"seed_{name}", "8.8: the digest of what is drawn by another seed", d, values(d, seed=93))
        file = with_digest_of(by_3(d, 92, 5, ONE, 20, {2: TWO}), by_3(d, 92, 5, ONE, 20)[1], 4)
        reason = "8.6: the digest of the elements without patches"
        yield F3.row(f"digest_without_patches_{name}", reason, file, PAYLOAD)
    scale = number(THIRD)
    first = [signed(x * scale) for x in drawn.normal_numbers(92, 5, 20, remade=False)]
    reason = "8.8: the digest of elements of which the last 16 are not made again"
    yield row("not_remade", reason, drawn.NORMAL, np.array(first, "<u4"))
    u = [drawn.fraction(x) for x in drawn.draws(92, 5, 200)]
    twice = np.array([signed(rounded(x * scale) - drawn.HALF) for x in u], "<u4")
    reason = "8.8: the digest of products and sums that are each rounded"
    yield row("rounded_twice", reason, drawn.UNIFORM, twice, 200)
    zero = by_3(drawn.NORMAL, *rare(0), ONE, 16)
    file = with_digest_of(zero, but(zero[1], 0, MINUS), 4)
    yield F3.row("digest_minus_zero", "8.8: the digest of -0.0 where the number is 0", file, PAYLOAD)
    for name, bits in (("above", ONE), ("below", ONE | MINUS)):
        middle = by_3(drawn.UNIFORM_SIGNS, *rare(1 << 23), ONE, 3)
        reason = f"8.8: the digest of a sign where k is 2^23, as if it were {name}"
        yield F3.row(f"digest_middle_{name}", reason, with_digest_of(middle, but(middle[1], 0, bits), 4), PAYLOAD)


def digests_4() -> Iterator[Row]:
    """Yield digests of what a decoder may make instead, of generator 4."""

    def row(name: str, reason: str, right: Made, wrong: Array) -> Row:
        return F4.row(f"digest_{name}", reason, with_digest_of(right, wrong), PAYLOAD)

    def made(d: int, seed: int = 92, offset: int = 5, length: int = 20) -> Array:
        return dialects.elements(d, seed, offset, SCALE, length, low=LOW)

    def right(d: int, length: int = 20) -> Made:
        return by_4(d, 92, 5, SCALE, length, low=LOW)

    for d, name in F4.names.items():
        yield row(name, "8.6: the digest of elements with other lowest bits", right(d), made(d) ^ np.uint32(1))
        yield row(f"offset_0_{name}", "8.8: the digest of what is drawn from offset 0", right(d), made(d, offset=0))
        yield row(f"seed_{name}", "8.8: the digest of what is drawn by another seed", right(d), made(d, seed=93))
    others = {UNIFORM: UNIFORM_TWICE, UNIFORM_TWICE: UNIFORM, NORMAL: NORMAL_OF_C, NORMAL_OF_C: NORMAL}
    for d, other in (others | {NORMAL_UNFUSED: NORMAL}).items():
        reason = "8.9: the digest of what the other dialect makes"
        yield row(f"other_dialect_{F4.names[d]}", reason, right(d, 200), made(other, length=200))
    for d, other in ((NORMAL, NORMAL_UNFUSED), (NORMAL_OF_C, NORMAL_UNFUSED), (NORMAL_UNFUSED, NORMAL_OF_C)):
        reason = "8.9: the digest of what another dialect makes"
        yield row(f"{F4.names[d]}_as_{F4.names[other]}", reason, right(d, 200), made(other, length=200))
    size = number(SCALE)
    for d, name in ((NORMAL_OF_C, ""), (NORMAL_UNFUSED, "_unfused")):
        once = drawn.normal_numbers(92, 5, 20, dialects.SIXTEENS[d], remade=False)
        reason = "8.8: the digest of elements of which the last 16 are not made again"
        yield row(f"not_remade{name}", reason, right(d), np.array([signed(x * size) for x in once], "<u4"))
    # Of seed 187, where draws are that show it.
    halves = {"log": (4669, drawn.fma, multiply_then_add), "turns": (555, multiply_then_add, drawn.fma)}
    for name, (offset, of_log, of_turns) in halves.items():
        mixed = drawn.sixteen(drawn.draws(187, offset, 16), of_log, of_turns)
        reason = f"8.9: the digest where {name} is fused and the rest is not"
        fused = np.array([signed(x) for x in mixed], "<u4")
        yield row(f"fused_{name}", reason, by_4(NORMAL_UNFUSED, 187, offset, ONE, 16), fused)
    tiny = by_4(NORMAL_UNFUSED, 191, 3, 1, 40)
    reason = "8.9: the digest where +0.0 is added to rounded products"
    yield row("last_unfused", reason, tiny, np.where(tiny[1] == MINUS, np.uint32(0), tiny[1]))
    x = drawn.draws(92, 5, 160)
    wrong = np.concatenate([by_binary32(x[i : i + 16]) for i in range(0, 160, 16)])
    yield row("product_in_binary32", "8.9: the digest where t is a product in binary32", right(NORMAL_OF_C, 160), wrong)
    zeros = [(d, 0, 16, "8.8: the digest of -0.0 where the number is 0") for d in F4.normals]
    for d, k, length, reason in [*zeros, (UNIFORM_TWICE, 1 << 23, 3, "8.9: the digest of -0.0 where the sum is 0")]:
        zero = by_4(d, *rare(k), ONE, length)
        yield row(f"minus_zero_{F4.names[d]}", reason, zero, but(zero[1], 0, MINUS))


def by_binary32(x: Sequence[int]) -> Array:
    """Return the elements of sixteen draws if t were a product in binary32, as in section 8.8."""
    v = [drawn.fraction(draw) for draw in x]
    made = []
    for j in range(16):
        r = drawn.root(rounded(-2 * dialects.ln(1 - v[j % 8])))
        sine, cosine = dialects.sine_and_cosine(rounded(drawn.TWO_PI * v[j % 8 + 8]))
        made.append(signed(rounded(r * (sine if j > 7 else cosine)) * number(SCALE)))
    return np.array(made, "<u4")


def infinite(f: Family) -> Iterator[Row]:
    """Yield elements that are infinite before patches, also where a patch or step makes them finite."""
    kinds_3 = {
        "uniform": (1, LARGEST, 0x7F000000),
        "uniform_rounded": (1, 0x73800000, LARGEST),
        "normal": (2, LARGEST, 0),
    }
    kinds_4 = {"uniform": (1, LARGEST, 0x7F000000), "uniform_twice": (2, LARGEST, 0x7F000000)}
    kinds_4 |= {"uniform_twice_rounded": (2, 0x73800000, LARGEST)}
    kinds_4 |= {f"normal{tail}": (3 + i, LARGEST, 0) for i, tail in enumerate(("", "_of_c", "_unfused"))}
    for name, (d, size, low) in (kinds_3 if f is F3 else kinds_4).items():
        made = f.make(d, 94, 7, size, 20, low=low)
        reached = is_infinite(made[1])
        demand(reached.any() and not reached.all(), "no element or every one is infinite")
        yield f.row(f"infinite_{name}", "8.4: elements that are infinite", layered(made, minor=f.minor), PAYLOAD)
        patches = {int(i): ONE if f is F3 else 1 for i in np.flatnonzero(reached)}
        file = layered(f.make(d, 94, 7, size, 20, patches, low), minor=f.minor)
        reason = f"8.4: elements that are infinite, all of which are patched{'' if f is F3 else ' by one step'}"
        yield f.row(f"infinite_patched_{name}", reason, file, PAYLOAD)
    kinds = {"": drawn.NORMAL} if f is F3 else {"": NORMAL_OF_C, "_unfused": NORMAL_UNFUSED}
    for last in (False, True):
        for name, d in kinds.items():
            reason = f"8.4: only an element that is made {'again' if last else 'once'} is infinite"
            where = "last" if last else "first"
            yield f.row(f"infinite_{where}{name}", reason, infinite_part(f, d, last=last), PAYLOAD)


def infinite_part(f: Family, d: int, *, last: bool) -> File:
    """Return a normal prototype of 17 elements whose only infinite ones are the first, or among the others."""
    scale = 0x7EFFFFFF
    for seed in range(1000) if f is F3 else ((1,) if last else (89,)):
        made = is_infinite(f.make(d, seed, 0, scale, 17)[1])
        before = [signed(x * number(scale)) for x in drawn.normal_numbers(seed, 0, 16)] if f is F3 else [0]
        if made[0] != last and made[1:].any() == last and not (last and is_infinite(np.array(before, "<u4")).any()):
            return layered(f.make(d, seed, 0, scale, 17), minor=f.minor)
    raise AssertionError("no such seed")


def masks_and_scales(f: Family) -> Iterator[Row]:
    """Yield masks that have bits for idle elements or none for others, and scaled layers of a NaN."""
    nine, twenty = by_3(drawn.UNIFORM_SIGNS, *place(1 << 23, 2), HALF, 9), by_4(UNIFORM_TWICE, 92, 5, ONE, 20)
    step = dialects.step_to(int(twenty[1][4]), 0)
    for zero in (0, 1):
        file = layered(nine if f is F3 else by_4(UNIFORM_TWICE, 92, 5, ONE, 20, {4: step}), minor=f.minor)
        count = 9 if f is F3 else 20
        file.masks, file.entries[0].zero = [Mask(CONSTANT, count, count)], zero
        reason = "7: a bit for an element that " + ("has no sign" if f is F3 else "a step made +0.0")
        yield f.row(f"mask_not_idle_{zero}", reason, file, PAYLOAD)
    if f is F3:
        made = by_3(drawn.UNIFORM, 77, 0, 1, 24, low=MINUS | 1)
        active = int(np.count_nonzero(made[1] & ~np.uint32(MINUS)))
        demand(active < 24 and made[1].all(), "no -0.0")
        file = edited(layered(made, minor=4), put("masks", 0, length=active, ones=active))
        yield f.row("mask_idle_minus_zero", "7: no bits for elements of -0.0", file, PAYLOAD)
    for d, name in f.names.items():
        old = int(f.make(d, 92, 5, ONE, 20)[1][18])
        patch, what = (NAN, "a patch of NaN") if f is F3 else (dialects.step_to(old, NAN), "a step to a NaN")
        file = layered(f.make(d, 92, 5, ONE, 20, {18: patch}), n=17, scale=b"\0\0\0\x40", minor=f.minor)
        yield f.row(f"scaled_nan_{name}", f"7: {what}, which the scaled layer does not reach", file, PAYLOAD)


def place(k: int, before: int) -> tuple[int, int]:
    """Return seed and offset so that a rare draw stands behind so many others."""
    seed, position = RARE[k]
    return seed, position - before


# --- steps: sections 1, 4.5, 8.6 and 8.9 --------------------------------------------------------------------


def with_steps(
    d: int, steps: Mapping[int, Number], gaps: Sequence[Number] | None = None, count: Number | None = None
) -> File:
    """Return a file of one prototype with these steps; the digest is that without them."""
    prototype, made = by_4(d, SEED, 2, ONE, 20)
    assert isinstance(prototype, Dialect)
    prototype.patches, prototype.gaps, prototype.count = steps, gaps, count
    return layered((prototype, made), minor=5)


ZEROS = (1 << 24) - 512


def hostile(count: int) -> File:
    """Return a small file of a long manifest of almost nothing but zeros, in a frame of runs, with so many patches."""
    file = with_steps(UNIFORM, {}, [bytes(ZEROS)], count)
    file.prototypes[0].length = 1 << 24

    def store(plain: bytes) -> bytes:
        at = plain.index(bytes(ZEROS))
        whole, rest = divmod(ZEROS, 1 << 17)
        runs = [zstd_block(1, size, b"\0", False) for size in [1 << 17] * whole + [rest]]
        ends = zstd_block(0, at, plain[:at], False), zstd_block(0, len(plain) - at - ZEROS, plain[at + ZEROS :])
        return frame(plain, blocks=ends[0] + b"".join(runs) + ends[1])

    file.store = store
    return file


def steps() -> Iterator[Row]:
    """Yield what is wrong with steps, gaps and their number (sections 1 and 4.5)."""

    def row(name: str, reason: str, d: int, steps: Mapping[int, Number], *more: Any) -> Row:
        return Row(f"step_{name}", MANIFEST, f"4.5: {reason}", with_steps(d, steps, *more))

    for d, name in F4.names.items():
        yield row(f"zero_{name}", "a step of 0", d, {3: 0})
        yield row(f"2_32_{name}", "a step of 2^32", d, {3: 1 << 32})
        yield row(f"not_minimal_{name}", "a step that is not minimal", d, {3: b"\x82\x00"})
        yield row(f"at_length_{name}", "a patch at index length", d, {20: 2})
    yield row("zero_last", "a step of 0, after others", NORMAL_OF_C, {0: 1, 3: 2, 4: 0})
    yield row("zero_not_minimal", "a step of 0 in two bytes", NORMAL_OF_C, {3: b"\x80\x00"})
    yield row("2_32_and_2", "a step of 2^32 + 2, which is 2 modulo 2^32", UNIFORM, {3: (1 << 32) + 2})
    yield row("2_33", "a step of 2^33, which is 0 modulo 2^32", UNIFORM, {3: 1 << 33})
    yield row("2_62", "a step of 2^62", UNIFORM, {3: 1 << 62})
    yield row("2_63", "a step of 2^63, of ten bytes", UNIFORM, {3: 1 << 63})
    ten = b"\x82" + b"\x80" * 8 + b"\0"
    yield row("ten_bytes", "a step of ten bytes, the last of them 0", UNIFORM, {3: ten})
    many: dict[int, Number] = dict.fromkeys(range(19), 2)
    last = many | {19: b"\xff\x80\x00"}
    yield row("last_not_minimal", "the last of many steps is not minimal", UNIFORM_TWICE, last)
    yield row("in_last_draws", "a patch below length + 16", NORMAL_OF_C, {3: 1, 35: 2})
    yield row("huge", "a patch at 2^62", UNIFORM, {0: 2}, [1 << 62])
    reason, most = "gaps after which an index is 3 again modulo 2^64", (1 << 62) - 1
    yield row("sum_3", reason, UNIFORM, {3: 2, 4: 2, 5: 2}, [3, (1 << 63) - 1, (1 << 63) - 1])
    yield row("sum_3_of_four", reason, UNIFORM, dict.fromkeys(range(5), 2), [3, most, most, most, most])
    yield row("gap_not_minimal", "a gap that is not minimal", UNIFORM, {3: 2}, [b"\x83\x00"])
    for name, count in (("2_24", 1 << 24), ("2_40", 1 << 40), ("2_63", (1 << 63) - 1)):
        yield row(f"count_{name}", f"{count} patches, which cannot be there", NORMAL_OF_C, {3: 2}, None, count)
    yield row("count_not_minimal", "a count that is not minimal", UNIFORM, {3: 2}, None, b"\x81\x00")
    yield row("count_more", "one patch more than there is", UNIFORM, {3: 2}, None, 2)
    yield row("count_less", "one patch less than there are", UNIFORM, {3: 2, 5: 2}, None, 1)
    yield row("gap_missing", "one gap for two patches", UNIFORM_TWICE, {3: 2, 4: 1}, [3])
    for name, reason, count in (
        ("none_of_many", "some 2^24 gaps in a long manifest, and no steps", ZEROS),
        ("zero_many", "some 2^23 gaps and as many steps of 0 in a long manifest", ZEROS // 2),
    ):
        yield Row(f"step_{name}", MANIFEST, f"4.5: {reason}", hostile(count))
    for d, begin in ((UNIFORM, 13), (NORMAL_OF_C, 9), (NORMAL_UNFUSED, 9)):
        for name, size in (("count", 1), ("first_gap", 2), ("gaps", 3), ("first_step", 4), ("half_of_step", 6)):
            file = cut(with_steps(d, {3: 2, 4: WORD}), begin + size)
            reason = f"4.5: the manifest ends after {name.replace('_', ' ')}"
            yield Row(f"step_ends_after_{name}_{F4.names[d]}", MANIFEST, reason, file)
    file = cut(with_steps(NORMAL_OF_C, {3: WORD}), 9 + 2 + 4, 1)
    yield Row("step_cut", MANIFEST, "4.5: a step without its last byte", file)
    yield row("left_over", "a byte more than the step", NORMAL_OF_C, {3: b"\x02\x02"})


def step_digests() -> Iterator[Row]:
    """Yield digests of what other steps make (sections 8.6 and 8.9)."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"step_{name}", PAYLOAD, reason, file)

    for d, name in F4.names.items():
        values = dialects.elements(d, SEED, 2, ONE, 20, low=LOW_HALF)

        def wrong(step: int, place: int, bits: int, d: int = d, values: Array = values) -> File:
            """Return a prototype of one step, with the digest of other bits there."""
            made = np.where(np.arange(20) == place, np.uint32(bits), values)
            return with_digest_of(by_4(d, SEED, 2, ONE, 20, {place: step}), made)

        third, below = int(values[3]), int(np.flatnonzero(values & MINUS)[0])
        yield row(f"not_in_digest_{name}", "8.6: the digest of the elements without steps", with_steps(d, {3: 2}))
        right = by_4(d, SEED, 2, ONE, 20, {3: 2})
        file = with_digest_of(right, right[1] ^ np.where(np.arange(20) == 5, np.uint32(1), np.uint32(0)))
        yield row(f"not_the_one_{name}", "8.6: the digest where another element differs, too", file)
        reason = "8.9: the digest where a step is the element itself"
        yield row(f"as_bits_{name}", reason, wrong(1 << 31, 3, 1 << 31))
        yield row(f"other_sign_{name}", "8.9: the digest where step 2 is one less", wrong(2, 3, third - 1))
        yield row(f"not_halved_{name}", "8.9: the digest where step 6 is 6 more", wrong(6, 3, third + 6))
        reason = "8.9: the digest where step 2 makes a number below 0 greater"
        yield row(f"by_value_{name}", reason, wrong(2, below, int(values[below]) - 1))
    broken = row("not_in_digest_normal_of_c", "", with_steps(NORMAL_OF_C, {3: 2}))
    yield upon_invalid("step_not_in_digest", broken, one_xor(D.FLOAT32, 20))


def drawn_rows() -> Iterator[Row]:
    """Yield every invalid vector of generator 3."""
    yield from (*ids(F3), *fields(F3), *limits(F3), *digests_3(), *infinite(F3), *masks_and_scales(F3))


def dialect_rows() -> Iterator[Row]:
    """Yield every invalid vector of generator 4."""
    yield from ids(F4)
    steps_of_3 = layered(by_4(UNIFORM, SEED, 2, ONE, 20, {3: 2, 4: 1}), minor=5)
    reason = "4.5: generator 3, where steps stand instead of bits"
    yield F4.row("steps_of_generator_3", reason, edited(steps_of_3, put("prototypes", 0, generator=3)))
    yield from (*fields(F4), *limits(F4), *digests_4(), *infinite(F4), *masks_and_scales(F4))
    yield from (*steps(), *step_digests())
