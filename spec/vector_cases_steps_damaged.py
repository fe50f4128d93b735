"""The invalid vectors for the patches of generator 4, which are steps: sections 1, 4.5, 8.6 and 8.9.

Every row is one defect of a file that is valid without it. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from vector_cases_delta_damaged import one_xor, upon_invalid
from vector_cases_dialects import dialect
from vector_cases_dialects_damaged import NAMES, SEED, cut, since_5, with_digest_of
from vector_cases_invalid import MANIFEST, PAYLOAD, Row
from vector_cases_layers import HALF, MINUS, ONE
from vector_coders import D, Number, frame, zstd_block
from vector_dialects import NORMAL_OF_C, NORMAL_UNFUSED, UNIFORM, UNIFORM_TWICE, elements
from vector_numbers import WORD
from vector_writer import File


def with_steps(
    distribution: int,
    steps: Mapping[int, Number],
    gaps: Sequence[Number] | None = None,
    count: Number | None = None,
) -> File:
    """A file of one prototype with these steps; the digest is that without them."""
    prototype, made = dialect(distribution, SEED, 2, ONE, 20)
    prototype.patches, prototype.gaps, prototype.count = steps, gaps, count
    return since_5((prototype, made))


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
