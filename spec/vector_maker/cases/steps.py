"""The invalid vectors for the patches of generator 4, which are steps: sections 1, 4.5, 8.6 and 8.9.

Every row is one defect of a file that is valid without it. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from writer import drawn as drawing
from writer import numbers
from writer.coders import CONSTANT, D, Number, frame, zstd_block
from writer.dialects import LOW, NORMAL, NORMAL_OF_C, NORMAL_UNFUSED, SCALE, UNIFORM, UNIFORM_TWICE, elements, step_to
from writer.numbers import WORD
from writer.writer import Dialect, Drawn, File, Generator, Mask, mask, tiled

from cases.arranged import arranged
from cases.delta_damaged import one_xor, upon_invalid
from cases.delta_masks import upon
from cases.dialects import FOUR, dialect, show_dialects
from cases.dialects_damaged import NAMES, SEED, cut, file_since_5, with_digest_of
from cases.drawn import INFINITY, NAN, drawn, fill_layers, pattern, xor_of
from cases.generators import generated
from cases.kit import MANIFEST, PAYLOAD, Array, Row, Valid, case, demand, expect, since_5, valid
from cases.shapes import HALF, MINUS, ONE, TWO, Builder, tile, u4

UP, DOWN, MOST_DOWN, MOST_UP = 2, 1, WORD, WORD - 1


def into_each_other(
    one: int, other: int, seed: int, scale: int, length: int, low: int, least: int
) -> Iterator[tuple[Dialect, Array]]:
    """Each of two distributions as steps of the other, of which there are more than `least`, up and down."""
    ours, theirs = (elements(d, seed, 9, scale, length, low=low) for d in (one, other))
    for distribution, old, new in ((one, ours, theirs), (other, theirs, ours)):
        steps = towards(old, new)
        demand(len(steps) > least and UP in steps.values() and DOWN in steps.values(), "hardly any steps")
        row, patched = dialect(distribution, seed, 9, scale, length, steps, low)
        demand((patched == new).all(), "not what the other makes")
        yield row, patched


def towards(old: Array, new: Array) -> dict[int, int]:
    """The steps that make elements others."""
    return {int(i): step_to(int(old[i]), int(new[i])) for i in np.flatnonzero(old != new)}


def reaching(distribution: int, offset: int, length: int, wanted: dict[int, int]) -> tuple[Dialect, Array]:
    """A prototype of seed 171 and scale 1/2 whose steps make these elements."""
    values = elements(distribution, 171, offset, HALF, length, low=HALF | MINUS)
    steps = {i: step_to(int(values[i]), bits) for i, bits in wanted.items()}
    row, made = dialect(distribution, 171, offset, HALF, length, steps)
    demand(all(made[i] == bits for i, bits in wanted.items()), "the steps lead elsewhere")
    return row, made


@valid
def step_by_one() -> Valid:
    """A last place more and less: of the first and the last element, of one, of two neighbours, and of all."""
    rows = []
    for distribution in FOUR:
        for steps in ({0: UP, 19: DOWN}, {3: DOWN, 4: UP}, {7: UP}, {i: UP - i % 2 for i in range(20)}):
            row, made = dialect(distribution, 172, 1, ONE, 20, steps)
            old = elements(distribution, 172, 1, ONE, 20, low=HALF | MINUS)
            differences = [int(a) - int(b) for a, b in zip(made, old, strict=True) if a != b]
            demand(set(differences) <= {1, -1} and len(differences) == len(steps), "not by one")
            rows.append((row, made))
    return show_dialects(*rows)


@valid
def step_ends() -> Valid:
    """The least and the greatest steps, 2^32 - 1 of them half of all patterns away; beyond 2^32 and below 0."""
    rows = []
    for distribution in FOUR:
        steps = {0: MOST_DOWN, 1: MOST_UP, 2: MOST_DOWN - 2, 3: MOST_UP - 2, 18: 3, 19: 4}
        old = elements(distribution, 173, 2, ONE, 20, low=HALF | MINUS)
        demand((old & MINUS).any() and not (old & MINUS).all(), "elements of one sign only")
        row, made = dialect(distribution, 173, 2, ONE, 20, steps)
        demand(made[0] == old[0] ^ np.uint32(MINUS), "not half of all away")
        rows.append((row, made))
        for step in (MOST_DOWN, MOST_UP):  # the first is another sign, whatever the element
            rows.append(dialect(distribution, 173, 2, ONE, 20, dict.fromkeys(range(20), step)))
    return show_dialects(*rows)


@valid
def step_around_zero() -> Valid:
    """Steps of +0.0: one less is the NaN of all bits, one more the least number; and to +0.0, from both sides."""
    seed, position = 28587, 190
    rows = []
    for steps in ({5: DOWN}, {5: UP, 13: DOWN}, {5: MOST_DOWN}, {13: MOST_UP}):
        row, made = dialect(NORMAL_OF_C, seed, position - 5, ONE, 16, steps)
        rows.append((row, made))
    demand(rows[0][1][5] == WORD and rows[1][1][5] == 1 and rows[2][1][5] == MINUS, "no +0.0 was there")
    rows.append(reaching(NORMAL, 0, 20, dict.fromkeys(range(20), 0)))
    demand({i % 2 for i in rows[-1][0].patches.values() if isinstance(i, int)} == {0, 1}, "from one side only")
    return show_dialects(*rows)


@valid
def step_to_special() -> Valid:
    """Steps to NaN, -0.0, +0.0, infinity and the NaN of all bits; of what is made again, and of all elements."""
    some = {0: 0, 1: NAN, 15: MINUS, 16: INFINITY, 17: ONE, 18: WORD, 19: MINUS}
    rows = [reaching(d, 3, 20, some) for d in FOUR]
    rows += [reaching(d, 1, 500, {499: WORD, 200: 1, 128: MINUS, 129: 0x7F800001}) for d in FOUR]
    return show_dialects(*rows, reaching(NORMAL_OF_C, 2, 16, {i: i for i in range(16)}))


@valid
def step_sizes() -> Valid:
    """Steps of one to five bytes, the least and the greatest of each; gaps of one, two and three."""
    sizes = [1, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28, WORD]
    rows = [dialect(d, 174, 0, ONE, 300, {127 + 2 * i: step for i, step in enumerate(sizes)}) for d in FOUR]
    places = (0, 128, 257, 257 + 16384, 257 + 16384 + 16385)
    rows.append(dialect(UNIFORM_TWICE, 174, 0, SCALE, places[-1] + 1, dict(zip(places, sizes, strict=False)), LOW))
    return show_dialects(*rows)


@valid
def step_thousands() -> Valid:
    """6,000 steps in 10,000 elements: of a last place, of more, and of anything."""
    draws = drawing.draws(175, 0, 10000)
    sizes = (1, 2, 1, 2, 3, 4, 200, 40000, WORD)
    steps = {i: min(sizes[x % 9], x | 1) for i, x in enumerate(draws) if x >> 16 & 255 < 154}
    demand(5900 < len(steps) < 6300, "more or less")
    return show_dialects(dialect(UNIFORM, 175, 700, SCALE, 10000, steps, LOW))


@valid
def step_from_dialect_to_dialect() -> Valid:
    """What one dialect makes as steps of another, and the other way round; for which a step of one byte is enough."""
    rows: list[tuple[Dialect, Array]] = []
    for one, other in ((UNIFORM, UNIFORM_TWICE), (NORMAL, NORMAL_OF_C)):
        rows += into_each_other(one, other, 176, SCALE, 1001, LOW, 100)
    return show_dialects(*rows)


@valid
def dialect_layers() -> Valid:
    """Layers with zero = zero and negated, phase not 0, scaled; what steps make +0.0 is idle, -0.0 is not."""
    build = Builder()
    rows = [reaching(d, 7, 20, {3: 0, 4: MINUS, 19: 0}) for d in FOUR]
    rows += [dialect(UNIFORM, 169, 0, 1, 24, low=MINUS | 1), dialect(UNIFORM_TWICE, 171, 8, ONE, 5, {4: UP})]
    fill_layers(build, rows)
    return since_5(build.done())


@valid
def dialect_prefixes() -> Valid:
    """One long prototype, of which each layer shows only as many elements from the beginning as it has, or none."""
    build = Builder()
    for i, distribution in enumerate((UNIFORM_TWICE, NORMAL_OF_C)):
        prototype, made = dialect(distribution, 177, 0, 0x3D4CCCCD, 100, {2: UP, 16: DOWN, 99: WORD})
        build.file.prototypes.append(prototype)
        for shape in ((3, 2), (17,), (1,), (0,), (99,)):
            n = int(np.prod(shape))
            build.layer(shape, pattern(n), made[:n], prototype=i)
    return since_5(build.done())


@valid
def dialect_of_one_seed() -> Valid:
    """Generators 3 and 4 of one seed, one after the other, overlapping and the same; second prototypes of each other.

    The greatest offset is one of generator 4.
    """
    build = Builder()
    rows: list[tuple[Drawn, Array]] = [drawn(drawing.NORMAL, 178, 40, ONE, 20)]
    rows += [dialect(NORMAL_OF_C, 178, 40, ONE, 20), dialect(NORMAL, 178, 40, ONE, 20, {7: UP})]
    rows += [dialect(UNIFORM_TWICE, 178, 0, ONE, 40), drawn(drawing.UNIFORM_SIGNS, 178, 690, ONE, 9)]
    rows += [dialect(NORMAL_OF_C, 178, 700, ONE, 17), drawn(drawing.UNIFORM, 178, 30, ONE, 40)]
    for i, (prototype, made) in enumerate(rows):
        build.file.prototypes.append(prototype)
        j = (i + 2) % len(rows)
        a, b = tile(made, 30, 1), tile(rows[j][1], 30, 4)
        build.layer((30,), pattern(30), a, b, prototype=i, phase=1, zero=2, second=j, second_phase=4)
    return since_5(build.done())


case(
    "dialect_of_one_seed_before",
    "A prototype of generator 4 and one of generator 3 of the same seed, whose draws are more.",
)(lambda: show_dialects(dialect(NORMAL_OF_C, 179, 0, ONE, 20), drawn(drawing.UNIFORM, 179, 1300, ONE, 5)))


@valid
def dialect_beside_others() -> Valid:
    """Generators 1 to 4 of the same seed, and values, in one file; each is another's second prototype."""
    build = Builder()
    rows: list[tuple[Drawn | Generator, Array]] = [generated(numbers.NORMAL, 180, 3, ONE, 16)]
    rows += [dialect(NORMAL_OF_C, 180, 3, ONE, 16), arranged(numbers.NORMAL, 180, 3, ONE, 31, 16, 5)]
    rows += [drawn(drawing.UNIFORM, 180, 3, ONE, 16, {4: TWO}), dialect(UNIFORM_TWICE, 180, 5, ONE, 16, {4: TWO})]
    build.file.prototypes += [prototype for prototype, _ in rows]
    held = [made for _, made in rows] + [u4(ONE, 0, MINUS)]
    build.prototype(held[-1])
    for i, made in enumerate(held):
        j = (i + 1) % len(held)
        build.layer((33,), pattern(33), tile(made, 33), tile(held[j], 33), prototype=i, zero=2, second=j)
    return since_5(build.done())


@valid
def dialect_tasks() -> Valid:
    """Two tasks of different prototypes, and what both have in common."""
    rows = [dialect(NORMAL_OF_C, 181, 0, ONE, 16, {0: UP}), dialect(NORMAL_OF_C, 181, 500, ONE, 16)]
    rows.append(dialect(UNIFORM_TWICE, 182, 9, ONE, 4))
    file = File(tasks=["a", "b"], prototypes=[prototype for prototype, _ in rows])
    file.masks = [mask(np.ones(len(made), np.bool_)) for _, made in rows]
    file.entries = [tiled("w", (len(made),), i, i, task=(i + 1) % 3) for i, (_, made) in enumerate(rows)]
    w = [expect("w", D.FLOAT32, (len(made),), made) for _, made in rows]
    file.entries[2].name = "common"
    common = expect("common", D.FLOAT32, (4,), rows[2][1])
    return since_5(Valid(file, {"a": [w[0], common], "b": [w[1], common]}))


HELD = [dialect(NORMAL_OF_C, 183, 5, HALF, 20, {2: UP, 3: WORD}), dialect(UNIFORM_TWICE, 183, 30, ONE, 9)]


case("dialect_delta_base", "A base of two prototypes that are made by generator 4.")(lambda: show_dialects(*HELD))
case("delta_dialect", "A delta of minor 3 upon a base of minor 5: xor with prototypes that generator 4 makes.")(
    lambda: upon("dialect_delta_base", xor_of(HELD))
)


@valid
def delta_dialect_too() -> Valid:
    """A delta of minor 5, which also has a prototype of generator 4 of its own, of the seed of the base."""
    case = xor_of(HELD)
    prototype, made = dialect(NORMAL_OF_C, 183, 6, HALF, 17, {16: DOWN})
    case.file.prototypes.append(prototype)
    case.file.masks.append(Mask(CONSTANT, 17, 17))
    case.file.entries.append(tiled("own", (17,), 2, 2))
    case.networks[""].append(expect("own", D.FLOAT32, (17,), made))
    return since_5(upon("dialect_delta_base", case))


def with_steps(
    distribution: int, steps: Mapping[int, Number], gaps: Sequence[Number] | None = None, count: Number | None = None
) -> File:
    """A file of one prototype with these steps; the digest is that without them."""
    prototype, made = dialect(distribution, SEED, 2, ONE, 20)
    prototype.patches, prototype.gaps, prototype.count = steps, gaps, count
    return file_since_5((prototype, made))


def manifests() -> Iterator[Row]:
    """Sections 1 and 4.5: what is said of steps, gaps and their number."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"step_{name}", MANIFEST, f"4.5: {reason}", file)

    for distribution, name in NAMES.items():
        yield row(f"zero_{name}", "a step of 0", with_steps(distribution, {3: 0}))
        yield row(f"2_32_{name}", "a step of 2^32", with_steps(distribution, {3: 1 << 32}))
        yield row(f"not_minimal_{name}", "a step that is not minimal", with_steps(distribution, {3: b"\x82\x00"}))
        yield row(f"at_length_{name}", "a patch at index length", with_steps(distribution, {20: 2}))
    yield row("zero_last", "a step of 0, after others", with_steps(NORMAL_OF_C, {0: 1, 3: 2, 4: 0}))
    yield row("zero_not_minimal", "a step of 0 in two bytes", with_steps(NORMAL_OF_C, {3: b"\x80\x00"}))
    yield row("2_32_and_2", "a step of 2^32 + 2, which is 2 modulo 2^32", with_steps(UNIFORM, {3: (1 << 32) + 2}))
    yield row("2_33", "a step of 2^33, which is 0 modulo 2^32", with_steps(UNIFORM, {3: 1 << 33}))
    yield row("2_62", "a step of 2^62", with_steps(UNIFORM, {3: 1 << 62}))
    yield row("2_63", "a step of 2^63, of ten bytes", with_steps(UNIFORM, {3: 1 << 63}))
    ten = b"\x82" + b"\x80" * 8 + b"\0"
    yield row("ten_bytes", "a step of ten bytes, the last of them 0", with_steps(UNIFORM, {3: ten}))
    steps = dict.fromkeys(range(19), 2) | {19: b"\xff\x80\x00"}
    yield row("last_not_minimal", "the last of many steps is not minimal", with_steps(UNIFORM_TWICE, steps))
    yield row("in_last_draws", "a patch below length + 16", with_steps(NORMAL_OF_C, {3: 1, 35: 2}))
    yield row("huge", "a patch at 2^62", with_steps(UNIFORM, {0: 2}, [1 << 62]))
    gaps = [3, (1 << 63) - 1, (1 << 63) - 1]
    yield row(
        "sum_3", "gaps after which an index is 3 again modulo 2^64", with_steps(UNIFORM, {3: 2, 4: 2, 5: 2}, gaps)
    )
    gaps = [3, (1 << 62) - 1, (1 << 62) - 1, (1 << 62) - 1, (1 << 62) - 1]
    yield row(
        "sum_3_of_four",
        "gaps after which an index is 3 again modulo 2^64",
        with_steps(UNIFORM, dict.fromkeys(range(5), 2), gaps),
    )
    yield row("gap_not_minimal", "a gap that is not minimal", with_steps(UNIFORM, {3: 2}, [b"\x83\x00"]))
    for name, count in (("2_24", 1 << 24), ("2_40", 1 << 40), ("2_63", (1 << 63) - 1)):
        file = with_steps(NORMAL_OF_C, {3: 2}, count=count)
        yield row(f"count_{name}", f"{count} patches, which cannot be there", file)
    yield row("count_not_minimal", "a count that is not minimal", with_steps(UNIFORM, {3: 2}, count=b"\x81\x00"))
    yield row("count_more", "one patch more than there is", with_steps(UNIFORM, {3: 2}, count=2))
    yield row("count_less", "one patch less than there are", with_steps(UNIFORM, {3: 2, 5: 2}, count=1))
    file = with_steps(UNIFORM_TWICE, {3: 2, 4: 1}, [3])
    yield row("gap_missing", "one gap for two patches", file)
    yield row("none_of_many", "some 2^24 gaps in a long manifest, and no steps", hostile(ZEROS))
    yield row("zero_many", "some 2^23 gaps and as many steps of 0 in a long manifest", hostile(ZEROS // 2))
    for distribution, begin in ((UNIFORM, 13), (NORMAL_OF_C, 9), (NORMAL_UNFUSED, 9)):
        for name, size in (("count", 1), ("first_gap", 2), ("gaps", 3), ("first_step", 4), ("half_of_step", 6)):
            file = with_steps(distribution, {3: 2, 4: WORD})
            reason = f"the manifest ends after {name.replace('_', ' ')}"
            yield row(f"ends_after_{name}_{NAMES[distribution]}", reason, cut(file, begin + size))
    yield row("cut", "a step without its last byte", cut(with_steps(NORMAL_OF_C, {3: WORD}), 9 + 2 + 4, 1))
    yield row("left_over", "a byte more than the step", with_steps(NORMAL_OF_C, {3: b"\x02\x02"}))


ZEROS = (1 << 24) - 512


def hostile(count: int) -> File:
    """A small file of a long manifest of almost nothing but zeros, in a frame of runs, with so many patches."""
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


def payloads() -> Iterator[Row]:
    """Sections 8.6 and 8.9: steps and the digest."""

    def row(name: str, reason: str, file: File) -> Row:
        return Row(f"step_{name}", PAYLOAD, reason, file)

    def wrong(distribution: int, step: int, place: int, bits: int) -> File:
        """A prototype of one step, with the digest of other bits there."""
        values = elements(distribution, SEED, 2, ONE, 20, low=HALF | MINUS)
        values[place] = bits
        return with_digest_of(dialect(distribution, SEED, 2, ONE, 20, {place: step}), values)

    for distribution, name in NAMES.items():
        values = elements(distribution, SEED, 2, ONE, 20, low=HALF | MINUS).tolist()
        file = with_steps(distribution, {3: 2})
        yield row(f"not_in_digest_{name}", "8.6: the digest of the elements without steps", file)
        right = dialect(distribution, SEED, 2, ONE, 20, {3: 2})
        other = right[1].copy()
        other[5] ^= np.uint32(1)
        file = with_digest_of(right, other)
        yield row(f"not_the_one_{name}", "8.6: the digest where another element differs, too", file)
        file = wrong(distribution, 1 << 31, 3, 1 << 31)
        yield row(f"as_bits_{name}", "8.9: the digest where a step is the element itself", file)
        file = wrong(distribution, 2, 3, values[3] - 1)
        yield row(f"other_sign_{name}", "8.9: the digest where step 2 is one less", file)
        file = wrong(distribution, 6, 3, values[3] + 6)
        yield row(f"not_halved_{name}", "8.9: the digest where step 6 is 6 more", file)
        place = next(i for i, bits in enumerate(values) if bits & MINUS)
        file = wrong(distribution, 2, place, values[place] - 1)
        yield row(f"by_value_{name}", "8.9: the digest where step 2 makes a number below 0 greater", file)
    broken = row("not_in_digest_normal_of_c", "", with_steps(NORMAL_OF_C, {3: 2}))
    yield upon_invalid("step_not_in_digest", broken, one_xor(D.FLOAT32, 20))


def step_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*manifests(), *payloads())
