"""The invalid vectors for block coder 6, xor: section 6.2 of the specification, with 4.8 and 7.

Every row is one defect of a file that is valid without it, as far as that is possible; the class is `payload`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from writer.coders import SIZES, D, Number, bits, palette, u
from writer.delta import XOR, coded_block, coded_mask, xor_payload
from writer.grouped import GROUPED_PLANES
from writer.ids import CONSTANT, PALETTE, PLANES, RAW, ROTATED_PLANES, ZSTD
from writer.writer import Block, Entry, File, Mask, Values, kept, mask, tensor, tiled

from cases.content import MINUS, ONE, u4
from cases.delta_blocks import CODERS, data_of
from cases.delta_damaged import beside, delta
from cases.masks import FRAMES
from cases.rows import PAYLOAD, Row, of
from cases.valid import demand, held


def row(name: str, reason: str, base: str, file: File) -> Row:
    """A block that does not decode."""
    return Row(f"delta_xor_{name}", PAYLOAD, reason, delta(base, file), base=beside(base))


def blocked(dtype: D, payload: bytes, *entries: Entry) -> File:
    """A file of one block by coder 6."""
    return File(blocks=[Block(dtype, XOR, payload)], entries=list(entries))


def zeros(dtype: D, count: int, *references: Number, coder: int = RAW) -> bytes:
    """A payload of no differences."""
    return xor_payload(references, coder, coded_block(dtype, bytes(count * SIZES[dtype]), coder))


BASE = "delta_base_kept"  # entries 0 to 3: tensor, kept layer, tiled layer, alias; a prototype of two elements


def heads() -> Iterator[Row]:
    """References and the coder; three users of nine float32."""

    def three(name: str, reason: str, payload: bytes) -> Row:
        entries = [tensor(f"t{i}", (9,)) for i in range(3)]
        return row(name, f"6.2: {reason}", BASE, blocked(D.FLOAT32, payload, *entries))

    good = zeros(D.FLOAT32, 27, 1, 0, 3)
    demand(len(good) == 4 + 108, "references of two bytes")
    for size in range(5):
        yield three(f"ends_{size}", f"a payload of {size} bytes", good[:size])
    yield three("cut", "the last byte is missing", good[:-1])
    yield three("left_over", "a byte after the differences", good + b"\0")
    yield three("references_missing", "no references", good[3:])
    yield three("reference_missing", "a reference less than users", good[1:])
    yield three("reference_more", "a reference more than users", b"\1" + good)
    for reference in (5, 127, 128, 2**32 + 1, 2**63 - 1):
        for at in (0, 2):
            references: list[Number] = [1, 1, 1]
            references[at] = reference
            reason = f"entry {reference - 1} of 4, for user {at} of 3"
            yield three(f"entry_{reference}_{at}", reason, zeros(D.FLOAT32, 27, *references))
    for name, wrong in (
        ("not_minimal", b"\x81\0"),
        ("0_not_minimal", b"\x80\0"),
        ("ten", b"\x81" + b"\x80" * 8 + b"\0"),
    ):
        yield three(f"reference_{name}", "a reference that is not minimal", zeros(D.FLOAT32, 27, 1, wrong, 3))
    for coder in (6, 7, 128, 255):
        yield three(f"coder_{coder}", f"differences by coder {coder}", xor_payload((1, 0, 3), coder, good[4:]))
    twice = xor_payload((1, 0, 3), XOR, zeros(D.FLOAT32, 27, 0, 0, 0))
    yield three("coder_6_of_6", "differences by coder 6, with references of their own", twice)
    for base in ("empty_network", "metadata_unicode"):
        file = blocked(D.FLOAT32, zeros(D.FLOAT32, 9, 1), tensor("t", (9,)))
        yield row(f"entry_of_{base}", "6.2: entry 0 of a base without entries", base, file)


def fits() -> Iterator[Row]:
    """Section 6.2: what is referred to has the dtype and as many elements."""
    dtypes = {tensor.dtype: i + 1 for i, tensor in enumerate(held("every_dtype"))}
    for dtype, other in (
        (D.FLOAT32, D.INT32),
        (D.INT32, D.UINT32),
        (D.FLOAT16, D.BFLOAT16),
        (D.BFLOAT16, D.INT16),
        (D.COMPLEX64, D.FLOAT64),
        (D.FLOAT64, D.INT64),
        (D.COMPLEX32, D.FLOAT32),
        (D.UINT8, D.BOOL),
        (D.BOOL, D.UINT8),
        (D.FLOAT8_E4M3FN, D.FLOAT8_E5M2),
        (D.FLOAT4_E2M1FN_X2, D.UINT8),
        (D.FLOAT32, D.FLOAT64),
        (D.COMPLEX128, D.COMPLEX64),
    ):
        file = blocked(dtype, zeros(dtype, 3, dtypes[other]), tensor("t", (3,)))
        yield row(
            f"dtype_{dtype.name.lower()}_{other.name.lower()}", "6.2: another dtype in the base", "every_dtype", file
        )
    file = blocked(D.UINT8, zeros(D.UINT8, 12, dtypes[D.FLOAT32]), tensor("t", (12,)))
    yield row("dtype_bytes", "6.2: another dtype in the base, of as many bytes", "every_dtype", file)
    for n in (0, 1, 3, 8, 10, 18):
        for reference in (1, 2, 3, 4):
            file = blocked(D.FLOAT32, zeros(D.FLOAT32, n, reference), tensor("t", (n,)))
            yield row(f"elements_{n}_{reference}", f"6.2: 9 elements in the base for {n}", BASE, file)
    file = blocked(D.FLOAT32, zeros(D.FLOAT32, 6, 2), tensor("t", (6,)))
    yield row("elements_stored", "6.2: as many elements as the kept layer of the base stores", BASE, file)
    many = blocked(D.FLOAT32, xor_payload((1,), PLANES, b"\2\0" * 4), tensor("t", (1 << 20,)))
    yield row("elements_2_20", "6.2: 9 elements in the base for 2^20", BASE, many)
    file = blocked(D.INT16, zeros(D.INT16, 0, 1), tensor("t", (0,)))
    yield row("elements_none", "6.2: one element in the base for none", "shapes", file)
    file = blocked(D.INT16, zeros(D.INT16, 1, 2), tensor("t", (1,)))
    yield row("elements_of_none", "6.2: no elements in the base for one", "shapes", file)
    file = blocked(D.INT16, zeros(D.INT16, 0, 8), tensor("t", (0,)))
    yield row("entry_of_nothing", "6.2: entry 7 of 7, for a user of no elements", "shapes", file)
    file = blocked(D.INT32, zeros(D.INT32, 0, 3), tensor("t", (3, 0, 2)))
    yield row("dtype_of_nothing", "6.2: another dtype in the base, for a user of no elements", "shapes", file)

    def layer(name: str, reason: str, pattern: str, payload: bytes, base: str = BASE, dtype: D = D.FLOAT32) -> Row:
        file = blocked(dtype, payload, kept("k", (len(pattern),), 0))
        file.masks = [mask(pattern)]
        return row(f"kept_{name}", f"6.2: {reason}", base, file)

    yield layer("entry", "entry 4 of 4, for a kept layer", "101100111", zeros(D.FLOAT32, 6, 5))
    yield layer("nothing", "entry 4 of 4, for a kept layer that keeps nothing", "0" * 9, zeros(D.FLOAT32, 0, 5))
    yield layer("10", "9 elements in the base for a kept layer of 10", "1011001110", zeros(D.FLOAT32, 6, 2))
    yield layer("8", "9 elements in the base for a kept layer of 8", "10110011", zeros(D.FLOAT32, 5, 2))
    yield layer(
        "ones", "9 elements in the base for a kept layer of 12 that keeps 9", "111111111000", zeros(D.FLOAT32, 9, 1)
    )
    yield layer("dtype", "another dtype in the base", "101100111", zeros(D.INT32, 6, 2), dtype=D.INT32)
    yield layer("short", "as many differences as the base has ones", "101100110", zeros(D.FLOAT32, 6, 2))
    yield layer("all", "as many differences as elements", "101100110", zeros(D.FLOAT32, 9, 2))
    wrong = blocked(D.FLOAT32, zeros(D.FLOAT32, 6, 2), kept("k", (9,), 0))
    wrong.masks = [Mask(1, 9, 6, b"\xff\1")]
    yield row("kept_mask", "5: the mask of a kept layer has three ones more", BASE, wrong)
    tied = File(masks=[coded_mask(bits("0" * 9), CONSTANT)], entries=[tensor("t", (9,)), kept("k", (9,), 0)])
    tied.blocks = [Block(D.FLOAT32, XOR, zeros(D.FLOAT32, 9, 1, 5))]
    yield row("kept_second", "6.2: entry 4 of 4, for the second user, which keeps nothing", BASE, tied)


def prototypes() -> Iterator[Row]:
    """Section 6.2: references of prototypes; 0 to 3 have nine float32, 4 has four int16."""
    base = "delta_base_prototypes"

    def made(
        name: str, reason: str, reference: Number, *, length: int = 9, partial: str | None = None, dtype: D = D.FLOAT32
    ) -> Row:
        stored = length if partial is None else partial.count("1")
        file = blocked(dtype, zeros(dtype, stored, reference), tiled("w", (0,), 0 if partial is None else 1))
        file.masks = [] if partial is None else [mask(partial)]
        file.masks.append(Mask(CONSTANT, 0, 0))
        file.prototypes = [Values(length, 0, None if partial is None else 0)]
        return row(f"prototype_{name}", f"6.2: {reason}", base, file)

    for reference in (6, 128, 2**63 - 1):
        yield made(f"{reference}", f"prototype {reference - 1} of 5", reference)
        yield made(f"{reference}_partial", f"prototype {reference - 1} of 5", reference, partial="110000011")
    for length in (1, 8, 10, 18):
        for reference in (1, 2, 3, 4):
            reason = f"9 elements in prototype {reference - 1} of the base for {length}"
            yield made(f"{reference}_length_{length}", reason, reference, length=length)
    yield made("stored", "as many elements as the partial one of the base stores", 2, length=6)
    yield made("period", "as many elements as generator 2 has values", 4, length=5)
    yield made("partial_length", "9 elements in the base for a partial one of 10", 1, length=10, partial="1100000110")
    yield made(
        "partial_ones", "9 elements in the base for a partial one that stores 9", 1, length=10, partial="1111111110"
    )
    yield made("partial_nothing", "prototype 5 of 5, for one that stores nothing", 6, partial="0" * 9)
    yield made("partial_nothing_length", "9 elements for one of 8 that stores nothing", 1, length=8, partial="0" * 8)
    yield made("dtype", "another dtype in the base", 5, length=4)
    yield made("dtype_int32", "another dtype in the base, which is generated", 3, dtype=D.INT32)
    yield made("dtype_uint16", "another dtype in the base", 5, length=4, dtype=D.UINT16)
    file = blocked(D.FLOAT32, zeros(D.FLOAT32, 9, 1), tiled("w", (0,), 0))
    file.masks, file.prototypes = [Mask(CONSTANT, 0, 0)], [Values(9, 0)]
    demand(len(data_of(held("one_tensor")[0])) == 12, "another tensor")
    yield row("prototype_of_none", "6.2: prototype 0 of a base that has entries only", "one_tensor", file)
    file = blocked(D.FLOAT32, zeros(D.FLOAT32, 18, 1, 6), tensor("t", (9,)), tiled("w", (0,), 0))
    file.masks, file.prototypes = [Mask(CONSTANT, 0, 0)], [Values(9, 0)]
    yield row("prototype_then_entry", "6.2: entry 5 of 5, behind a prototype", base, file)
    file = blocked(D.FLOAT32, zeros(D.FLOAT32, 11, 4, 1), tensor("t", (9,)), tiled("w", (0,), 0))
    file.masks, file.prototypes = [Mask(CONSTANT, 0, 0)], [Values(2, 0)]
    yield row("entry_then_prototype", "6.2: the references of an entry and of a prototype change places", BASE, file)


def inner() -> Iterator[Row]:
    """Differences that do not decode, of three int16."""
    base = "every_dtype"
    reference = [tensor.dtype for tensor in held(base)].index(D.INT16) + 1
    data = bytes([1, 0, 0, 0, 2, 1])

    def of_three(name: str, reason: str, coder: int, coded: bytes) -> Row:
        payload = xor_payload((reference,), coder, coded)
        return row(f"by_{name}", f"6: {reason}", base, blocked(D.INT16, payload, tensor("t", (3,))))

    for coder in CODERS:
        good = coded_block(D.INT16, data, coder)
        yield of_three(f"{coder}_empty", f"no differences by coder {coder}", coder, b"")
        yield of_three(f"{coder}_cut", f"differences by coder {coder} without the last byte", coder, good[:-1])
        yield of_three(f"{coder}_left_over", f"a byte after differences by coder {coder}", coder, good + b"\0")
        for n in (2, 4):
            other = coded_block(D.INT16, (data + data)[: 2 * n], coder)
            if coder != PALETTE:  # which has as many bytes for two, three and four
                yield of_three(f"{coder}_of_{n}", f"{n} differences by coder {coder}", coder, other)
    for name in (
        "magic",
        "declares_more",
        "declares_nothing",
        "declares_2_48",
        "content_short",
        "dictionary",
        "second",
    ):
        reason, wrap = FRAMES[name]
        yield of_three(f"frame_{name}", f"the frame {reason}", ZSTD, wrap(data))
    yield of_three("planes_method", "unknown plane method 3", PLANES, b"\3" + bytes(3) + b"\2\0")
    yield of_three("rotated_method", "unknown plane method 3", ROTATED_PLANES, b"\3" + bytes(3) + b"\2\0")
    yield of_three("grouped_method", "unknown method 3 of a byte string", GROUPED_PLANES, b"\3" + bytes(3) + b"\1\0")
    values = [b"\0\0", b"\1\0", b"\2\1"]
    yield of_three("palette_index", "an index beyond the palette", PALETTE, palette(values, [1, 3, 2], 0))
    yield of_three("palette_order", "a palette that descends", PALETTE, palette(values[::-1], [1, 0, 2], 0))
    grouped = blocked(D.INT16, xor_payload((2,), GROUPED_PLANES, b""), tensor("t", (0,)))
    yield row("grouped_of_none", "6.1: grouped planes of no elements", "shapes", grouped)
    grouped = blocked(D.INT16, xor_payload((0,), GROUPED_PLANES, b"\0\0"), tensor("t", (0,)))
    yield row("grouped_of_none_methods", "6.1: grouped planes of no elements", "shapes", grouped)


def elements() -> Iterator[Row]:
    """Sections 4.8 and 7: the elements, which are no longer differences."""
    old = data_of(held("tasks_single", "only")[0])
    demand(old == b"\1", "another bool")
    for coder in CODERS:
        for name, reference, difference in (
            ("0", 0, 2),
            ("0_high", 0, 0x80),
            ("1", 1, 2),
            ("1_to_2", 1, 3),
            ("1_to_fe", 1, 0xFF),
        ):
            payload = xor_payload((reference,), coder, coded_block(D.BOOL, bytes([difference]), coder))
            file = blocked(D.BOOL, payload, tensor("t", ()))
            value = difference ^ (1 if reference else 0)
            yield row(f"bool_{name}_{coder}", f"4.8: a bool of {value}, by coder {coder}", "tasks_single", file)
    payload = zeros(D.BOOL, 2, 1, 0)[:-1] + b"\2"
    file = blocked(D.BOOL, payload, tensor("t", ()), tensor("u", (1,)))
    yield row("bool_second", "4.8: a bool of 2, of the second user", "tasks_single", file)

    def layer(name: str, reason: str, differences: Sequence[int], layer_mask: str, scale: float | None = None) -> Row:
        payload = xor_payload((1,), RAW, u4(*differences).tobytes())
        file = blocked(D.FLOAT32, payload, tiled("w", (4,), 0, scale=scale))
        file.masks, file.prototypes = [mask(layer_mask)], [Values(2, 0)]
        return row(name, f"7: {reason}", BASE, file)

    yield layer("idle", "a prototype of 1.0 and +0.0, but a bit for every element", [0, MINUS], "1111")
    yield layer("not_idle", "a prototype of 1.0 and -0.0, but no bits for the latter", [0, 0], "11")
    yield layer("scaled_infinity", "infinity in a scaled layer", [ONE ^ 0x7F800000, 0], "1111", 2.0)
    yield layer("scaled_nan", "NaN in a scaled layer", [0, 0x7FC00001], "1111", 2.0)


def tasks() -> Iterator[Row]:
    """Deltas with tasks, of which one is decoded."""
    payload = of("delta_tasks").blocks[0].payload
    demand(payload[:7] == bytes([1, 4, 6, 3, 1, 7, 5]), "other references")
    for name, at, task in (
        ("own", 1, "x"),
        ("common", 3, "x"),
        ("common", 3, "y"),
        ("kept", 4, "de"),
        ("prototype", 0, "de"),
    ):
        file = of("delta_tasks")
        file.blocks[0].payload = payload[:at] + u(99) + payload[at + 1 :]
        reason = "6.2: entry 98 of 10, of a user of this task" if at else "6.2: prototype 98 of 1"
        yield Row(f"delta_xor_task_{name}_{task}", PAYLOAD, reason, file, task=task, base=beside("tasks"))
    for name, at, reference, task, what in (
        ("own", 1, 99, "y", "entry 98 of 10, of a user of another task"),
        ("kept", 4, 99, "x", "entry 98 of 10, of a kept layer of another task"),
        ("prototype", 0, 99, "x", "prototype 98 of 1, of one that only a layer of another task uses"),
        ("elements", 1, 3, "y", "6 elements in the base for 2, of a user of another task"),
    ):
        file = of("delta_tasks")
        file.blocks[0].payload = payload[:at] + u(reference) + payload[at + 1 :]
        yield Row(f"delta_xor_other_task_{name}", PAYLOAD, f"6.2: {what}", file, task=task, base=beside("tasks"))
    file = blocked(D.FLOAT32, zeros(D.FLOAT32, 13, 1, 5), tensor("t", (9,), task=1), tensor("t", (4,), task=2))
    file.tasks = ["x", "y"]
    reason, base = "6.2: another dtype in the base, of a user of another task", "delta_base_prototypes"
    yield Row("delta_xor_other_task_dtype", PAYLOAD, reason, delta(base, file), task="x", base=beside(base))


def delta_block_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    yield from (*heads(), *fits(), *prototypes(), *inner(), *elements(), *tasks())
