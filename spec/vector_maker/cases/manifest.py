"""The invalid vectors for sections 4.2 to 4.7 of the specification: the tables of the manifest.

Every row is one defect of a file that is valid without it. To add a vector, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from writer.coders import CONSTANT, PLANES, RAW, D, u, zstd
from writer.writer import (
    KEPT,
    TENSOR,
    TILED,
    Block,
    Entry,
    File,
    Mask,
    Values,
    common_prefix,
    kept,
    mask,
    tensor,
    tiled,
)

from cases.generators import generated
from cases.kit import BAD_SCALES, LIMIT, MANIFEST, Edit, Row, add, of, put, replace, whole


def tasks_masks_blocks() -> Iterator[Row]:
    """Sections 4.2 to 4.4."""
    names: dict[str, tuple[str, list[str | bytes]]] = {
        "empty": ("an empty name", ["a", ""]),
        "duplicate": ("a name twice", ["a", "b", "a"]),
        "long": ("a name of 1,025 bytes", ["a" * 1025]),
        "utf8": ("invalid UTF-8", [b"a\xff"]),
    }
    for name, (reason, tasks) in names.items():
        yield Row(f"task_name_{name}", MANIFEST, f"4.2: {reason}", File(tasks=tasks))
    edits: dict[str, tuple[str, Edit]] = {
        "ones_above_length": ("more ones than bits", put("masks", 0, length=6, ones=7)),
        "length_above_2_48": ("a length above 2^48", put("masks", 0, length=(1 << 48) + 1)),
        "coder_5": ("unknown coder 5", put("masks", 0, coder=5)),
        "coder_255": ("unknown coder 255", put("masks", 0, coder=255)),
        "size_above_payload": ("sizes that do not add up to payload_size", put("masks", 0, size=2)),
        "size_2_62": ("a size of 2^62", put("masks", 0, size=1 << 62)),
        "ones_not_minimal": ("a number that is not minimal", put("masks", 0, ones=b"\x84\x00")),
    }
    for name, (reason, edit) in edits.items():
        yield Row(f"mask_{name}", MANIFEST, f"4.3: {reason}", of("tile_simple", edit))
    edits = {
        "dtype_0": ("unknown dtype 0", put("blocks", 0, dtype=0)),
        "dtype_23": ("unknown dtype 23", put("blocks", 0, dtype=23)),
        "coder_4": ("unknown coder 4", put("blocks", 0, coder=4)),
        "size_below_payload": ("sizes that do not add up to payload_size", put("blocks", 0, size=11)),
        "without_user": ("a block without a user", add("blocks", Block(D.INT8, RAW, b""))),
        "too_many_elements": ("more than 2^48 elements in a block", replace("entries", *halves())),
    }
    for name, (reason, edit) in edits.items():
        yield Row(f"block_{name}", MANIFEST, f"4.4: {reason}", of("one_tensor", edit))


def halves() -> list[Entry]:
    """Two tensors of one block, too large only together."""
    return [tensor("a", (1 << 48,)), tensor("b", (1,))]


def prototypes() -> Iterator[Row]:
    """Section 4.5."""
    mixed = [("bool", D.BOOL), ("complex128", D.COMPLEX128), ("e8m0", D.FLOAT8_E8M0FNU), ("float4", D.FLOAT4_E2M1FN_X2)]
    for name, dtype in mixed:
        size = 16 if dtype == D.COMPLEX128 else 1
        file = of("tile_simple", replace("blocks", Block(dtype, RAW, bytes([1]) * 4 * size)))
        yield Row(f"prototype_dtype_{name}", MANIFEST, "4.5: a dtype that is not maskable", file)
    unused = [add("prototypes", Values(1, 0)), put("blocks", 0, payload=bytes(range(20)))]
    nothing = [add("prototypes", Values(0, 0)), add("masks", Mask(CONSTANT, 0, 0))]
    nothing.append(add("entries", tiled("x", (0,), 1, 1)))
    edits: dict[str, tuple[str, list[Edit]]] = {
        "length_zero": ("length 0", nothing),
        "length_above_2_48": ("length above 2^48", [put("prototypes", 0, length=(1 << 48) + 1)]),
        "block_out_of_range": ("a block that is not there", [put("prototypes", 0, block=1)]),
        "partial_2": ("partial neither 0 nor 1", [put("prototypes", 0, partial=2)]),
        "kind_2": ("unknown kind 2", [put("prototypes", 0, kind=2)]),
        "without_user": ("a prototype that no layer uses", unused),
    }
    for name, (reason, more) in edits.items():
        yield Row(f"prototype_{name}", MANIFEST, f"4.5: {reason}", of("tile_simple", *more))
    yield Row(
        "presence_length",
        MANIFEST,
        "4.5: a presence mask of one bit too few",
        of("partial_prototypes", put("masks", 0, length=4, payload=b"\x07")),
    )
    for field, ids in (("generator", (0, 2, 255)), ("distribution", (0, 4, 255))):
        for value in ids:
            yield Row(
                f"{field}_{value}",
                MANIFEST,
                f"4.5: unknown {field} {value}",
                of("generator_patches", put("prototypes", 0, **{field: value})),
            )
    for name, raw in BAD_SCALES.items():
        edit = put("prototypes", 0, scale=raw)
        yield Row(f"generator_scale_{name}", MANIFEST, f"4.5: a scale of {name}", of("generator_patches", edit))
    gaps: dict[str, tuple[str, list[int | bytes]]] = {
        "last_at_length": ("a patch at index length", [0, 499]),
        "first_beyond": ("a first patch beyond the length", [500, 0]),
        "far_beyond": ("a patch at about 2^63", [0, b"\xff" * 8 + b"\x7f"]),
    }
    for name, (reason, values) in gaps.items():
        generator = generated(3, 9, 9, 0x3F000000, 500, {0: 0, 499: 1})[0]
        generator.gaps = values
        file = File(masks=[Mask(CONSTANT, 499, 499)], prototypes=[generator], entries=[tiled("w", (500,), 0)])
        yield Row(f"patch_{name}", MANIFEST, f"4.5: {reason}", file)
    yield Row(
        "mask_without_user",
        MANIFEST,
        "4.5: a mask that nothing refers to",
        of("tile_simple", add("masks", Mask(CONSTANT, 6, 6))),
    )
    yield Row(
        "reference_ahead",
        MANIFEST,
        "4.5: mask 1 referred to before mask 0",
        of("masks_shared", put("prototypes", 0, presence=u(2))),
    )
    yield Row(
        "reference_next_by_number",
        MANIFEST,
        "4.5: r = 1 for mask 0, which has not been referred to",
        of("tile_simple", put("entries", 0, mask=u(1))),
    )
    yield Row(
        "reference_out_of_range",
        MANIFEST,
        "4.5: a mask that is not there",
        of("masks_shared", put("entries", 3, mask=u(3))),
    )
    yield Row(
        "reference_no_next",
        MANIFEST,
        "4.5: r = 0 and no mask is left",
        of("masks_shared", put("entries", 4, mask=u(0))),
    )


def names() -> Iterator[Row]:
    """The names of section 4.6."""
    edits: dict[str, tuple[str, list[Edit]]] = {
        "empty": ("an empty name", [put("entries", 0, name="", suffix=b"")]),
        "too_long": ("a name of 1,025 bytes", [put("entries", 0, name="a" * 1025)]),
        "nul": ("a name with a byte 0", [put("entries", 0, name="a\0b")]),
        "utf8": ("invalid UTF-8", [put("entries", 0, name=b"a\xff")]),
        "utf8_split": ("half a character", [put("entries", 0, name="é"), put("entries", 1, suffix=b"", shared=1)]),
        "shared_in_first": ("shared not 0 in the first row", [put("entries", 0, shared=1, suffix=b"t")]),
        "shared_too_long": ("shared above the length before", [put("entries", 1, shared=2, suffix=b"t")]),
        "duplicate": ("a name twice", [put("entries", 6, name="t")]),
    }
    for name, (reason, more) in edits.items():
        yield Row(f"name_{name}", MANIFEST, f"4.6: {reason}", of("aliases", *more))
    yield Row(
        "name_duplicate_of_common",
        MANIFEST,
        "4.6: a common entry and one of a task of one name",
        of("tasks", put("entries", 3, name="common")),
    )
    yield Row(
        "name_duplicate_in_task",
        MANIFEST,
        "4.6: two entries of one task of one name",
        of("tasks", put("entries", 3, name="w")),
    )
    yield Row(
        "name_suffix_past_end",
        MANIFEST,
        "4: a suffix that runs past the end",
        File(edit_manifest=lambda plain: plain[:-1] + b"\x01\x00\x7ft"),
    )
    yield Row("names_too_many_bytes", MANIFEST, "4.6: names of more than 2^25 bytes in all", many_names())


def counted(count: int, width: int, fill: str = "0", **fields: Any) -> list[Entry]:
    """Entries with ascending decimal numbers of one width as names."""
    rows = []
    before = ""
    for i in range(count):
        digits = f"{i:06}"
        shared = common_prefix(digits.encode(), before.encode()) + width - 6 if before else 0
        rows.append(Entry(digits.rjust(width, fill), shared=shared, **fields))
        before = digits
    return rows


def compressed(plain: bytes) -> bytes:
    """The frame that makes a long manifest a small file."""
    return zstd(plain, 19)


def many_names() -> File:
    """32,769 names of 1,024 bytes, stored in little space."""
    rows = counted(32769, 1024, "n", kind=TENSOR)
    return File(blocks=[Block(D.UINT8, PLANES, b"\x02\x01")], entries=rows, store=compressed)


def too_many() -> Iterator[Row]:
    """Tables with a row too many. Those with all their rows are small when compressed."""
    most = {"tasks": 65535, "masks": 1 << 18, "blocks": 1 << 18, "prototypes": 1 << 18, "entries": 1 << 18}
    for table, count in most.items():
        file = of("empty_network", whole(counts={table: count + 1}))
        yield Row(f"count_{table}", MANIFEST, f"4: {count + 1} {table} announced, and none there", file)
    tasks: list[str | bytes] = [f"{i:04x}" for i in range(65536)]
    yield Row("too_many_tasks", MANIFEST, "4.2: 65,536 tasks", File(tasks=tasks, store=compressed))
    file = File(blocks=[Block(D.UINT8, RAW, b"")], entries=counted((1 << 18) + 1, 6, kind=TENSOR, dims=(0,)))
    file.store = compressed
    yield Row("too_many_entries", MANIFEST, "4.6: 2^18 + 1 entries", file)
    file = File(blocks=[Block(D.UINT8, RAW, b"")], prototypes=[Values(1, 0, presence=0)], store=compressed)
    file.masks = [Mask(CONSTANT, 1, 0)] + [Mask(CONSTANT, 0, 0)] * (1 << 18)
    file.entries = counted(1 << 18, 6, kind=KEPT, dims=(0,))
    for i, row in enumerate(file.entries):
        row.mask = i + 1
    file.entries[-1].kind = TILED
    yield Row("too_many_masks", MANIFEST, "4.3: 2^18 + 1 masks", file)


def entries() -> Iterator[Row]:
    """The other columns of section 4.6."""

    def row(name: str, reason: str, base: str, *edits: Edit) -> Row:
        return Row(name, MANIFEST, f"4.6: {reason}", of(base, *edits))

    yield row("kind_4", "unknown kind 4", "one_tensor", put("entries", 0, kind=4))
    yield row("kind_255", "unknown kind 255", "one_tensor", put("entries", 0, kind=255))
    yield row("task_out_of_range", "task 3 of 2", "tasks", put("entries", 0, task=3))
    yield row("ndim_33", "33 dims", "one_tensor", put("entries", 0, dims=(3, *[1] * 32)))
    yield row("dims_above_2_48", "2^48 + 1 elements", "one_tensor", put("entries", 0, dims=((1 << 48) + 1,)))
    yield row("dims_wrap_to_zero", "2^64 elements", "one_tensor", put("entries", 0, dims=(1 << 32, 1 << 32)))
    yield row(
        "dims_zero_beside", "a product of 2^49 beside a 0", "blocks_of_nothing", put("entries", 0, dims=(1 << 48, 0, 2))
    )
    yield row("tensor_block_out_of_range", "a block that is not there", "one_tensor", put("entries", 0, block=1))
    yield row("kept_block_out_of_range", "a block that is not there", "kept_layers", put("entries", 0, block=1))
    yield row("kept_dtype", "a kept layer of a dtype that is not maskable", "mask_raw", put("blocks", 0, dtype=D.BOOL))
    yield row("kept_mask_short", "a mask of one bit too few", "kept_layers", replace_kept("10110010", 9))
    yield row("kept_mask_long", "a mask of one bit too many", "kept_layers", replace_kept("10110010", 7))
    yield row("tiled_mask_long", "a mask of more bits than elements", "tile_simple", put("entries", 0, dims=(5,)))
    yield row(
        "prototype_out_of_range", "a prototype that is not there", "generator_layers", put("entries", 0, prototype=2)
    )
    yield row("phase_out_of_range", "a phase of the prototype's length", "tile_simple", put("entries", 0, phase=4))
    yield row("phase_huge", "a phase of 2^62", "tile_simple", put("entries", 0, phase=1 << 62))
    yield row("zero_3", "unknown zero 3", "tile_simple", put("entries", 0, zero=3))
    yield row("scaled_2", "scaled neither 0 nor 1", "tile_simple", put("entries", 0, scaled=2))
    for name, scale in BAD_SCALES.items():
        yield row(
            f"scale_{name}", f"a scale of {name}", "tile_simple", put("entries", 0, scale=scale.to_bytes(4, "little"))
        )
    for name, dtype in (("int32", D.INT32), ("complex32", D.COMPLEX32), ("uint32", D.UINT32)):
        yield row(
            f"negated_{name}",
            f"zero = negated of {name}",
            "tile_simple",
            put("blocks", 0, dtype=dtype),
            put("entries", 0, zero=1),
        )
        yield row(
            f"scaled_{name}",
            f"scaled of {name}",
            "tile_simple",
            put("blocks", 0, dtype=dtype),
            put("entries", 0, scale=2.0),
        )
    yield row("scaled_float64", "scaled of float64", "zero_negated", put("entries", 3, scale=2.0))
    yield row("scaled_bfloat16", "scaled of bfloat16", "zero_negated", put("entries", 1, scale=2.0))
    yield row("second_out_of_range", "a second prototype that is not there", "zero_second", put("entries", 0, second=2))
    yield row("second_dtype", "a second prototype of another dtype", "zero_second", put("blocks", 1, dtype=D.INT32))
    yield row(
        "second_phase_out_of_range",
        "a second phase of its prototype's length",
        "zero_second",
        put("entries", 0, second_phase=6),
    )
    for name, target in (("itself", 1), ("forward", 2), ("out_of_range", 7), ("huge", 1 << 62)):
        yield row(f"alias_{name}", f"an alias of entry {target}", "aliases", put("entries", 1, target=target))
    yield row("alias_of_alias", "an alias of an alias", "aliases", put("entries", 5, target=4))
    yield row("alias_across_tasks", "an alias of another task's entry", "tasks", put("entries", 6, target=3))
    yield row("alias_common_of_task", "a common alias of a task's entry", "tasks", put("entries", 9, target=3))
    for base in ("empty_network", "one_tensor"):
        yield Row(
            f"manifest_left_over_{base}",
            MANIFEST,
            "4: a byte after the six tables",
            of(base, whole(edit_manifest=lambda plain: plain + b"\0")),
        )
    for base in ("empty_network", "one_tensor", "aliases", "generator_patches"):
        yield Row(
            f"manifest_too_short_{base}",
            MANIFEST,
            "4: the last field runs past the end",
            of(base, whole(edit_manifest=lambda plain: plain[:-1])),
        )


def replace_kept(pattern: str, n: int) -> Edit:
    """One kept layer of n elements with a mask of another length."""

    def edit(file: File) -> None:
        file.masks = [mask(pattern)]
        file.blocks = [Block(D.UINT8, RAW, bytes(pattern.count("1")))]
        file.entries = [kept("k", (n,), 0)]

    return edit


def limit_rows() -> Iterator[Row]:
    """Section 4.7: what decoding will take."""
    nothing = Block(D.FLOAT32, PLANES, b"\x02\x00" * 4)
    yield Row(
        "max_bytes_layer_and_prototype", LIMIT, "4.7: 24 bytes of layer and 16 of prototype", of("tile_simple"), 39
    )
    yield Row("max_bytes_tensor", LIMIT, "4.7: 12 bytes", of("one_tensor"), 11)
    yield Row("max_bytes_task", LIMIT, "4.7: this task takes 88 bytes", of("tasks"), 87, "französisch")
    yield Row("max_bytes_all_tasks", LIMIT, "4.7: all tasks take 116 bytes", of("tasks"), 115)
    yield Row("max_bytes_zero", LIMIT, "4.7: a limit of 0", of("tasks_single"), 0)
    yield Row(
        "elements_2_32",
        LIMIT,
        "4.7: a tensor of 16 GiB and 4 bytes",
        File(blocks=[nothing], entries=[tensor("t", ((1 << 32) + 1,))]),
        1 << 34,
    )
    huge = of("tile_simple", put("entries", 0, dims=(1 << 24, 1 << 24)))
    huge.masks = [Mask(CONSTANT, 1 << 48, 1 << 48)]
    yield Row("elements_2_48", LIMIT, "4.7: a layer of 2^48 elements in a tiny file", huge)
    kept_huge = File(masks=[Mask(CONSTANT, 1 << 48, 0)], blocks=[Block(D.INT8, RAW, b"")])
    kept_huge.entries = [kept("k", (1 << 48,), 0)]
    yield Row("elements_2_48_kept", LIMIT, "4.7: a kept layer of 2^48 zeros in a tiny file", kept_huge)
    generator = generated(3, 1, 1, 0x3F800000, 4)[0]
    generator.length = 1 << 48
    made = File(masks=[Mask(CONSTANT, 4, 4)], prototypes=[generator], entries=[tiled("w", (4,), 0)])
    yield Row("prototype_2_48", LIMIT, "4.7: a generated prototype of 2^48 elements", made)


def manifest_rows() -> Iterator[Row]:
    """Every invalid vector of this module."""
    for group in (tasks_masks_blocks, too_many, prototypes, names, entries, limit_rows):
        yield from group()
