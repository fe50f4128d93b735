"""The invalid vectors for sections 4.2 to 4.7 of the specification: the tables of the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from writer.coders import SIZES, D, u, zstd
from writer.ids import CONSTANT, PLANES, RAW
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

from cases.content import BAD_SCALES
from cases.files import layered
from cases.generators import generated
from cases.rows import LIMIT, MANIFEST, Edit, Row, add, edited, of, put, whole


def row(name: str, reason: str, base: str, *edits: Edit) -> Row:
    """Return a valid vector that is edited until it breaks a rule of the manifest."""
    return Row(name, MANIFEST, reason, of(base, *edits))


def on(table: str, *rows: tuple[str, str, dict[str, Any]], base: str, index: int = 0, section: str) -> Iterator[Row]:
    """Yield a row for each: the name, the reason, and the fields that are changed in one row of a table."""
    for name, reason, fields in rows:
        yield row(name, f"{section}: {reason}", base, put(table, index, **fields))


def tasks_masks_blocks() -> Iterator[Row]:
    """Yield the defects of sections 4.2 to 4.4."""
    names: dict[str, tuple[str, list[str | bytes]]] = {
        "empty": ("an empty name", ["a", ""]),
        "duplicate": ("a name twice", ["a", "b", "a"]),
        "long": ("a name of 1,025 bytes", ["a" * 1025]),
        "utf8": ("invalid UTF-8", [b"a\xff"]),
    }
    for name, (reason, tasks) in names.items():
        yield Row(f"task_name_{name}", MANIFEST, f"4.2: {reason}", File(tasks=tasks))
    yield from on(
        "masks",
        ("mask_ones_above_length", "more ones than bits", {"length": 6, "ones": 7}),
        ("mask_length_above_2_48", "a length above 2^48", {"length": (1 << 48) + 1}),
        ("mask_coder_5", "unknown coder 5", {"coder": 5}),
        ("mask_coder_255", "unknown coder 255", {"coder": 255}),
        ("mask_size_above_payload", "sizes that do not add up to payload_size", {"size": 2}),
        ("mask_size_2_62", "a size of 2^62", {"size": 1 << 62}),
        ("mask_ones_not_minimal", "a number that is not minimal", {"ones": b"\x84\x00"}),
        base="tile_simple",
        section="4.3",
    )
    yield from on(
        "blocks",
        ("block_dtype_0", "unknown dtype 0", {"dtype": 0}),
        ("block_dtype_23", "unknown dtype 23", {"dtype": 23}),
        ("block_coder_4", "unknown coder 4", {"coder": 4}),
        ("block_size_below_payload", "sizes that do not add up to payload_size", {"size": 11}),
        base="one_tensor",
        section="4.4",
    )
    unused = add("blocks", Block(D.INT8, RAW, b""))
    yield row("block_without_user", "4.4: a block without a user", "one_tensor", unused)
    halves = whole(entries=[tensor("a", (1 << 48,)), tensor("b", (1,))])  # too large only together
    yield row("block_too_many_elements", "4.4: more than 2^48 elements in a block", "one_tensor", halves)


def prototypes() -> Iterator[Row]:
    """Yield the defects of section 4.5."""
    unmaskable = {"bool": D.BOOL, "complex128": D.COMPLEX128, "e8m0": D.FLOAT8_E8M0FNU, "float4": D.FLOAT4_E2M1FN_X2}
    for name, dtype in unmaskable.items():
        blocks = [Block(dtype, RAW, bytes([1]) * 4 * SIZES[dtype])]
        reason = "4.5: a dtype that is not maskable"
        yield row(f"prototype_dtype_{name}", reason, "tile_simple", whole(blocks=blocks))
    nothing = add("prototypes", Values(0, 0)), add("masks", Mask(CONSTANT, 0, 0))
    yield row("prototype_length_zero", "4.5: length 0", "tile_simple", *nothing, add("entries", tiled("x", (0,), 1, 1)))
    yield from on(
        "prototypes",
        ("prototype_length_above_2_48", "length above 2^48", {"length": (1 << 48) + 1}),
        ("prototype_block_out_of_range", "a block that is not there", {"block": 1}),
        ("prototype_partial_2", "partial neither 0 nor 1", {"partial": 2}),
        ("prototype_kind_2", "unknown kind 2", {"kind": 2}),
        base="tile_simple",
        section="4.5",
    )
    unused = add("prototypes", Values(1, 0)), put("blocks", 0, payload=bytes(range(20)))
    yield row("prototype_without_user", "4.5: a prototype that no layer uses", "tile_simple", *unused)
    short = put("masks", 0, length=4, payload=b"\x07")
    yield row("presence_length", "4.5: a presence mask of one bit too few", "partial_prototypes", short)
    ids = [("generator", n) for n in (0, 2, 255)] + [("distribution", n) for n in (0, 4, 255)]
    fields = [(f"{field}_{n}", f"unknown {field} {n}", {field: n}) for field, n in ids]
    fields += [(f"generator_scale_{name}", f"a scale of {name}", {"scale": raw}) for name, raw in BAD_SCALES.items()]
    yield from on("prototypes", *fields, base="generator_patches", section="4.5")
    gaps: dict[str, tuple[str, list[int | bytes]]] = {
        "last_at_length": ("a patch at index length", [0, 499]),
        "first_beyond": ("a first patch beyond the length", [500, 0]),
        "far_beyond": ("a patch at about 2^63", [0, b"\xff" * 8 + b"\x7f"]),
    }
    for name, (reason, values) in gaps.items():
        file = layered(generated(3, 9, 9, 0x3F000000, 500, {0: 0, 499: 1}), minor=0)
        yield Row(f"patch_{name}", MANIFEST, f"4.5: {reason}", edited(file, put("prototypes", 0, gaps=values)))
    unused_mask = add("masks", Mask(CONSTANT, 6, 6))
    yield row("mask_without_user", "4.5: a mask that nothing refers to", "tile_simple", unused_mask)
    presence = put("prototypes", 0, presence=u(2))
    yield row("reference_ahead", "4.5: mask 1 referred to before mask 0", "masks_shared", presence)
    reason = "4.5: r = 1 for mask 0, which has not been referred to"
    yield row("reference_next_by_number", reason, "tile_simple", put("entries", 0, mask=u(1)))
    reason = "4.5: a mask that is not there"
    yield row("reference_out_of_range", reason, "masks_shared", put("entries", 3, mask=u(3)))
    reason = "4.5: r = 0 and no mask is left"
    yield row("reference_no_next", reason, "masks_shared", put("entries", 4, mask=u(0)))


# --- section 4.6 --------------------------------------------------------------------------------------------


def names() -> Iterator[Row]:
    """Yield the defects of names."""
    base, half = "aliases", (put("entries", 0, name="é"), put("entries", 1, suffix=b"", shared=1))
    yield from on(
        "entries",
        ("name_empty", "an empty name", {"name": "", "suffix": b""}),
        ("name_too_long", "a name of 1,025 bytes", {"name": "a" * 1025}),
        ("name_nul", "a name with a byte 0", {"name": "a\0b"}),
        ("name_utf8", "invalid UTF-8", {"name": b"a\xff"}),
        base=base,
        section="4.6",
    )
    yield row("name_utf8_split", "4.6: half a character", base, *half)
    reason = "4.6: shared not 0 in the first row"
    yield row("name_shared_in_first", reason, base, put("entries", 0, shared=1, suffix=b"t"))
    reason = "4.6: shared above the length before"
    yield row("name_shared_too_long", reason, base, put("entries", 1, shared=2, suffix=b"t"))
    yield row("name_duplicate", "4.6: a name twice", base, put("entries", 6, name="t"))
    yield from on(
        "entries",
        ("name_duplicate_of_common", "a common entry and one of a task of one name", {"name": "common"}),
        ("name_duplicate_in_task", "two entries of one task of one name", {"name": "w"}),
        base="tasks",
        index=3,
        section="4.6",
    )
    file = File(edit_manifest=lambda plain: plain[:-1] + b"\x01\x00\x7ft")
    yield Row("name_suffix_past_end", MANIFEST, "4: a suffix that runs past the end", file)
    rows = counted(32769, 1024, "n", kind=TENSOR)
    file = File(blocks=[Block(D.UINT8, PLANES, b"\x02\x01")], entries=rows, store=compressed)
    yield Row("names_too_many_bytes", MANIFEST, "4.6: names of more than 2^25 bytes in all", file)


def counted(count: int, width: int, fill: str = "0", **fields: Any) -> list[Entry]:
    """Return entries with ascending decimal numbers of one width as names."""
    rows = []
    before = ""
    for i in range(count):
        digits = f"{i:06}"
        shared = common_prefix(digits.encode(), before.encode()) + width - 6 if before else 0
        rows.append(Entry(digits.rjust(width, fill), shared=shared, **fields))
        before = digits
    return rows


def compressed(plain: bytes) -> bytes:
    """Return the frame that makes a long manifest a small file."""
    return zstd(plain, 19)


def too_many() -> Iterator[Row]:
    """Yield tables with a row too many. Those with all their rows are small when compressed."""
    most = {"tasks": 65535, "masks": 1 << 18, "blocks": 1 << 18, "prototypes": 1 << 18, "entries": 1 << 18}
    for table, count in most.items():
        reason = f"4: {count + 1} {table} announced, and none there"
        yield row(f"count_{table}", reason, "empty_network", whole(counts={table: count + 1}))
    tasks: list[str | bytes] = [f"{i:04x}" for i in range(65536)]
    yield Row("too_many_tasks", MANIFEST, "4.2: 65,536 tasks", File(tasks=tasks, store=compressed))
    file = File(blocks=[Block(D.UINT8, RAW, b"")], store=compressed)
    file.entries = counted((1 << 18) + 1, 6, kind=TENSOR, dims=(0,))
    yield Row("too_many_entries", MANIFEST, "4.6: 2^18 + 1 entries", file)
    file = File(blocks=[Block(D.UINT8, RAW, b"")], prototypes=[Values(1, 0, presence=0)], store=compressed)
    file.masks = [Mask(CONSTANT, 1, 0)] + [Mask(CONSTANT, 0, 0)] * (1 << 18)
    file.entries = counted(1 << 18, 6, kind=KEPT, dims=(0,))
    for i, entry in enumerate(file.entries):
        entry.mask = i + 1
    file.entries[-1].kind = TILED
    yield Row("too_many_masks", MANIFEST, "4.3: 2^18 + 1 masks", file)


# Name, reason, the valid vector, the index of an entry, and the fields that are changed in it.
ENTRIES: tuple[tuple[str, str, str, int, dict[str, Any]], ...] = (
    ("kind_4", "unknown kind 4", "one_tensor", 0, {"kind": 4}),
    ("kind_255", "unknown kind 255", "one_tensor", 0, {"kind": 255}),
    ("task_out_of_range", "task 3 of 2", "tasks", 0, {"task": 3}),
    ("ndim_33", "33 dims", "one_tensor", 0, {"dims": (3, *[1] * 32)}),
    ("dims_above_2_48", "2^48 + 1 elements", "one_tensor", 0, {"dims": ((1 << 48) + 1,)}),
    ("dims_wrap_to_zero", "2^64 elements", "one_tensor", 0, {"dims": (1 << 32, 1 << 32)}),
    ("dims_zero_beside", "a product of 2^49 beside a 0", "blocks_of_nothing", 0, {"dims": (1 << 48, 0, 2)}),
    ("tensor_block_out_of_range", "a block that is not there", "one_tensor", 0, {"block": 1}),
    ("kept_block_out_of_range", "a block that is not there", "kept_layers", 0, {"block": 1}),
    ("tiled_mask_long", "a mask of more bits than elements", "tile_simple", 0, {"dims": (5,)}),
    ("prototype_out_of_range", "a prototype that is not there", "generator_layers", 0, {"prototype": 2}),
    ("phase_out_of_range", "a phase of the prototype's length", "tile_simple", 0, {"phase": 4}),
    ("phase_huge", "a phase of 2^62", "tile_simple", 0, {"phase": 1 << 62}),
    ("zero_3", "unknown zero 3", "tile_simple", 0, {"zero": 3}),
    ("scaled_2", "scaled neither 0 nor 1", "tile_simple", 0, {"scaled": 2}),
    *(
        (f"scale_{name}", f"a scale of {name}", "tile_simple", 0, {"scale": scale.to_bytes(4, "little")})
        for name, scale in BAD_SCALES.items()
    ),
    ("scaled_float64", "scaled of float64", "zero_negated", 3, {"scale": 2.0}),
    ("scaled_bfloat16", "scaled of bfloat16", "zero_negated", 1, {"scale": 2.0}),
    ("second_out_of_range", "a second prototype that is not there", "zero_second", 0, {"second": 2}),
    ("second_phase_out_of_range", "a second phase of its prototype's length", "zero_second", 0, {"second_phase": 6}),
    *(
        (f"alias_{name}", f"an alias of entry {target}", "aliases", 1, {"target": target})
        for name, target in (("itself", 1), ("forward", 2), ("out_of_range", 7), ("huge", 1 << 62))
    ),
    ("alias_of_alias", "an alias of an alias", "aliases", 5, {"target": 4}),
    ("alias_across_tasks", "an alias of another task's entry", "tasks", 6, {"target": 3}),
    ("alias_common_of_task", "a common alias of a task's entry", "tasks", 9, {"target": 3}),
)


def kept_of(n: int) -> Edit:
    """Return the edit to one kept layer of n elements with a mask of eight bits."""
    block = Block(D.UINT8, RAW, bytes(4))
    return whole(masks=[mask("10110010")], blocks=[block], entries=[kept("k", (n,), 0)])


def dtypes() -> Iterator[Row]:
    """Yield tiled layers of a dtype that zero = negated, or scaled, does not go with."""
    for name, dtype in (("int32", D.INT32), ("complex32", D.COMPLEX32), ("uint32", D.UINT32)):
        for what, reason, fields in (("negated", "zero = negated", {"zero": 1}), ("scaled", "scaled", {"scale": 2.0})):
            edits = put("blocks", 0, dtype=dtype), put("entries", 0, **fields)
            yield row(f"{what}_{name}", f"4.6: {reason} of {name}", "tile_simple", *edits)


def entries() -> Iterator[Row]:
    """Yield the defects of the other columns of section 4.6, and of the end of the manifest."""
    for name, reason, base, index, fields in ENTRIES:
        if name == "tiled_mask_long":
            bools = put("blocks", 0, dtype=D.BOOL)
            yield row("kept_dtype", "4.6: a kept layer of a dtype that is not maskable", "mask_raw", bools)
            yield row("kept_mask_short", "4.6: a mask of one bit too few", "kept_layers", kept_of(9))
            yield row("kept_mask_long", "4.6: a mask of one bit too many", "kept_layers", kept_of(7))
        if name == "scaled_float64":
            yield from dtypes()
        if name == "second_phase_out_of_range":
            int32 = put("blocks", 1, dtype=D.INT32)
            yield row("second_dtype", "4.6: a second prototype of another dtype", "zero_second", int32)
        yield row(name, f"4.6: {reason}", base, put("entries", index, **fields))
    for name in ("empty_network", "one_tensor"):
        more = whole(edit_manifest=lambda plain: plain + b"\0")
        yield row(f"manifest_left_over_{name}", "4: a byte after the six tables", name, more)
    for name in ("empty_network", "one_tensor", "aliases", "generator_patches"):
        less = whole(edit_manifest=lambda plain: plain[:-1])
        yield row(f"manifest_too_short_{name}", "4: the last field runs past the end", name, less)


def limit_rows() -> Iterator[Row]:
    """Yield what decoding will take too much for (section 4.7)."""
    for name, reason, base, most, task in (
        ("layer_and_prototype", "24 bytes of layer and 16 of prototype", "tile_simple", 39, None),
        ("tensor", "12 bytes", "one_tensor", 11, None),
        ("task", "this task takes 88 bytes", "tasks", 87, "französisch"),
        ("all_tasks", "all tasks take 116 bytes", "tasks", 115, None),
        ("zero", "a limit of 0", "tasks_single", 0, None),
    ):
        yield Row(f"max_bytes_{name}", LIMIT, f"4.7: {reason}", of(base), most, task)
    nothing = Block(D.FLOAT32, PLANES, b"\x02\x00" * 4)
    file = File(blocks=[nothing], entries=[tensor("t", ((1 << 32) + 1,))])
    yield Row("elements_2_32", LIMIT, "4.7: a tensor of 16 GiB and 4 bytes", file, 1 << 34)
    huge = of("tile_simple", put("entries", 0, dims=(1 << 24, 1 << 24)))
    huge.masks = [Mask(CONSTANT, 1 << 48, 1 << 48)]
    yield Row("elements_2_48", LIMIT, "4.7: a layer of 2^48 elements in a tiny file", huge)
    zeros = File(masks=[Mask(CONSTANT, 1 << 48, 0)], blocks=[Block(D.INT8, RAW, b"")])
    zeros.entries = [kept("k", (1 << 48,), 0)]
    yield Row("elements_2_48_kept", LIMIT, "4.7: a kept layer of 2^48 zeros in a tiny file", zeros)
    made = edited(layered(generated(3, 1, 1, 0x3F800000, 4), minor=0), put("prototypes", 0, length=1 << 48))
    yield Row("prototype_2_48", LIMIT, "4.7: a generated prototype of 2^48 elements", made)


def manifest_rows() -> Iterator[Row]:
    """Yield every invalid vector of this module."""
    yield from (*tasks_masks_blocks(), *too_many(), *prototypes(), *names(), *entries(), *limit_rows())
