"""Deltas that break a rule of sections 5.4 and 6.2, or are made to cost a decoder dear."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import pemncodec
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.container.manifest.rows import (
    AliasRow,
    BlockRow,
    EntryRow,
    KeptRow,
    Manifest,
    MaskRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)
from pemncodec.errors import FormatError, LimitError, PayloadError
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file
from pemncodec.network.model import Alias, KeptFill, Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill

from ..conformance.test_damage import mutated
from ..conformance.test_hostile import file_of
from ..deltas import (
    FLIPS,
    SEEDED,
    XOR,
    by_hand,
    decoder_of,
    flipped,
    floats,
    kept,
    mask_delta,
    raw_flips,
    raw_xor,
    resealed,
    tensor_delta,
    tiled,
)
from ..networks import assemble, random_mask, split, u

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

LENGTH = 40


def base_network() -> MaskedNetwork:
    """Masks of 40 and 64 bits; prototypes of 500 and 7 elements; seven entries, of which the third is an alias."""
    network = MaskedNetwork(prototypes=[SEEDED, StoredPrototype(FLOAT32, floats(7, seed=1))])
    network.masks = [random_mask(LENGTH, 0.5, 1), random_mask(64, 0.5, 2)]
    flags = Tensor("flags", BY_NAME["bool"], (8,), np.arange(8, dtype=np.uint8) % 2)
    network.entries = [
        Layer("a", (LENGTH,), 0, TileFill(0)),
        Tensor("bias", FLOAT32, (6,), floats(6, seed=2)),
        Alias("tied", "bias"),
        Layer("kept", (64,), 1, KeptFill(FLOAT32, floats(network.masks[1].count, seed=3))),
        Layer("b", (LENGTH,), 0, TileFill(1)),
        flags,
        Tensor("half", BY_NAME["float16"], (6,), np.arange(6, dtype=np.uint16)),
    ]
    return network


BASE = encode(base_network())
# In the file masks are in the order of first use: kept layers before tiled ones.
OF_A, OF_KEPT = 1, 0


def fails(data: bytes, error: type[FormatError], reason: str, base: bytes = BASE, max_bytes: int = 1 << 30) -> None:
    """Of this class and for this reason, whoever reads the file."""
    calls: list[Callable[[], object]] = [
        partial(verify_file, data, base=base, max_bytes=max_bytes),
        partial(pemncodec.load, data, base=base, max_bytes=max_bytes),
        partial(pemncodec.load_network, data, base=base, max_bytes=max_bytes),
    ]
    for call in calls:
        with pytest.raises(error, match=reason) as caught:
            call()
        assert type(caught.value) is error


# --- masks ----------------------------------------------------------------------------------------------------

FLAGS = np.arange(LENGTH) % 7 == 0
EXPECTED = base_network().masks[0].to_bool() ^ FLAGS
ONES = int(EXPECTED.sum())
GOOD_FLIPS = raw_flips(OF_A, FLAGS)
RAW = np.packbits(FLAGS, bitorder="little").tobytes()
COUNT = int(FLAGS.sum())

BAD_FLIPS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "mask of the base needs 1 bytes, but 0 are left"),
    "no number of flips": (u(OF_A), "number of flips needs 1 bytes, but 0 are left"),
    "no coder": (u(OF_A) + u(COUNT), "coder of the flips needs 1 bytes, but 0 are left"),
    "no flips": (u(OF_A) + u(COUNT) + b"\1", "40 raw bits in 0 bytes"),
    "no such mask": (raw_flips(2, FLAGS), "flips of mask 2 of the base, which has 2 masks"),
    "mask 2^62": (raw_flips(1 << 62, FLAGS), "flips of mask 4611686018427387904 of the base, which has 2 masks"),
    "mask of another length": (raw_flips(OF_KEPT, FLAGS), "flips of 40 bits for mask 0 of the base, which has 64 bits"),
    "needless bytes": (b"\x81\x00" + GOOD_FLIPS[1:], "mask of the base is an integer with needless bytes"),
    "endless integer": (b"\xff" * 12 + GOOD_FLIPS, "mask of the base is an integer of more than 9 bytes"),
    "more flips than bits": (u(OF_A) + u(LENGTH + 1) + b"\1" + RAW, "number of flips is 41, but at most 40 is allowed"),
    "flips 2^62": (u(OF_A) + u(1 << 62) + b"\1" + RAW, "number of flips is 4611686018427387904, but at most 40"),
    "fewer flips": (
        u(OF_A) + u(COUNT + 1) + b"\1" + RAW,
        f"{COUNT} of its bits are one, but the front of the flips says",
    ),
    "more flips": (
        u(OF_A) + u(COUNT - 1) + b"\1" + RAW,
        f"{COUNT} of its bits are one, but the front of the flips says",
    ),
    "flips of flips": (
        u(OF_A) + u(COUNT) + b"\x08" + GOOD_FLIPS,
        "the flips have the coder 8, but only 0 to 7 are allowed",
    ),
    "coder 255": (u(OF_A) + u(COUNT) + b"\xff" + RAW, "the flips have the coder 255, but only 0 to 7 are allowed"),
    "bytes left over": (GOOD_FLIPS + b"\0", "40 raw bits in 6 bytes"),
    "constant with bytes": (u(OF_A) + b"\0\0" + b"x", "a constant mask has no payload, and this one has 1 bytes"),
    "constant that is none": (u(OF_A) + b"\3\0", "a constant mask of 40 bits cannot have 3 ones"),
    "other ones": (raw_flips(OF_A, FLAGS & (np.arange(LENGTH) > 0)), r"\d+ of its bits are one, but the manifest says"),
    "rANS of nothing": (u(OF_A) + u(COUNT) + b"\x05", "density of rANS bytes needs 1 bytes, but 0 are left"),
    "gap bytes 2^62": (u(OF_A) + u(COUNT) + b"\x06\0\x80" + u(1 << 62), "number of gap bytes is 4611686018427387904"),
}


@pytest.mark.parametrize("name", BAD_FLIPS)
def test_bad_flips(name: str) -> None:
    payload, reason = BAD_FLIPS[name]
    fails(mask_delta(BASE, payload, LENGTH, ONES), PayloadError, f"^mask 0: {reason}")


def test_good_flips() -> None:
    """The flips that the bad ones are made from are valid."""
    with PemnFile(mask_delta(BASE, GOOD_FLIPS, LENGTH, ONES), base=BASE) as file:
        assert np.array_equal(file.get_mask("w").to_bool(), EXPECTED)


def test_padding_of_flips() -> None:
    network = MaskedNetwork(masks=[random_mask(5, 0.5, 3)], prototypes=[SEEDED])
    network.entries = [Layer("w", (5,), 0, TileFill(0))]
    base = encode(network)
    fails(
        mask_delta(base, b"\0\1\1\x20", 5, network.masks[0].count),
        PayloadError,
        "the padding after its 5 bits is not zero",
        base,
    )


# --- blocks ---------------------------------------------------------------------------------------------------

SHAPES = [(6,), (2, 3)]
ZEROS = np.zeros(12, dtype=np.uint32)
GOOD_XOR = raw_xor([2, 3], ZEROS)

BAD_XOR: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "2 values announced, but 0 bytes are left"),
    "one reference": (u(2), "2 values announced, but 1 bytes are left"),
    "no coder": (u(2) + u(3), "coder of the differences needs 1 bytes, but 0 are left"),
    "no differences": (u(2) + u(3) + b"\0", "12 raw elements of float32 in 0 bytes"),
    "too many bytes": (GOOD_XOR + b"\0", "12 raw elements of float32 in 49 bytes"),
    "no such entry": (raw_xor([0, 8], ZEROS), "a reference to entry 7 of the base, which has 7"),
    "entry 2^62": (raw_xor([0, 1 << 62], ZEROS), "a reference to entry 4611686018427387903 of the base, which has 7"),
    "another number of elements": (
        raw_xor([1, 0], ZEROS),
        "6 elements of float32 refer to entry 0 of the base, which has 40 of float32",
    ),
    "another dtype": (
        raw_xor([0, 7], ZEROS),
        "6 elements of float32 refer to entry 6 of the base, which has 6 of float16",
    ),
    "needless bytes": (b"\x82\0" + GOOD_XOR[1:], "reference to the base is an integer with needless bytes"),
    "xor of xor": (u(2) + u(3) + b"\x06" + GOOD_XOR, "the differences have the coder 6, but only 0 to 5 are allowed"),
    "coder 255": (u(2) + u(3) + b"\xff", "the differences have the coder 255, but only 0 to 5 are allowed"),
    "no zstd": (u(2) + u(3) + b"\1" + bytes(40), "elements: not a zstd frame"),
    "planes cut off": (u(2) + u(3) + b"\2\2\0\2\0\2\0", "method of plane 3 needs 1 bytes, but 0 are left"),
}


@pytest.mark.parametrize("name", BAD_XOR)
def test_bad_differences(name: str) -> None:
    payload, reason = BAD_XOR[name]
    fails(tensor_delta(BASE, payload, SHAPES), PayloadError, f"^block 0: .*{reason}")


def test_good_differences() -> None:
    """The differences that the bad ones are made from are valid; they refer to entry 1 and its alias, entry 2."""
    with PemnFile(tensor_delta(BASE, GOOD_XOR, SHAPES), base=BASE) as file:
        assert file.get_numpy("t0").tobytes() == file.get_numpy("t1").tobytes() == floats(6, seed=2).tobytes()


def test_bools_are_0_or_1_in_the_end() -> None:
    dtype = BY_NAME["bool"]
    for changes, good in ((np.ones(8), True), (np.full(8, 2), False), (np.full(8, 255), False)):
        data = tensor_delta(BASE, raw_xor([6], changes.astype(np.uint8)), [(8,)], dtype)
        if good:
            assert pemncodec.load(data, base=BASE)["t0"].tolist() == [number % 2 == 0 for number in range(8)]
        else:
            fails(data, PayloadError, r"^block 0: a bool is \d+, and must be 0 or 1")


def prototype_delta(payload: bytes, length: int) -> bytes:
    manifest = Manifest(
        masks=(MaskRow(0, 1, 1, 0),),
        blocks=(BlockRow(FLOAT32, XOR, 0),),
        prototypes=(ValuesRow(length, 0, None),),
        entries=(TiledRow("w", 0, (1,), 0, 0, 0, 0, None, None, 0),),
    )
    return by_hand(manifest, [b"", payload], BASE)


def test_references_of_prototypes() -> None:
    ones = np.full(7, 0x3F800000, dtype=np.uint32)
    for number, reason in (
        (3, "a reference to prototype 2 of the base, which has 2 prototypes"),
        (1 << 62, "a reference to prototype 4611686018427387903 of the base, which has 2 prototypes"),
        (1, "7 elements of float32 refer to prototype 0 of the base, which has 500 of float32"),
    ):
        fails(prototype_delta(raw_xor([number], ones), 7), PayloadError, f"^block 0: {reason}$")
    data = prototype_delta(raw_xor([2], ones), 7)
    assert decoder_values(data).tobytes() == (floats(7, seed=1) ^ ones).tobytes()


def decoder_values(data: bytes) -> Any:
    network = pemncodec.load_network(data, base=BASE)
    return network.prototype_values(0)


def test_an_error_in_the_base_has_its_class_and_says_so() -> None:
    """A prototype of the base is not what its seed makes."""
    manifest, payload = split(BASE)
    digest = decoder_of(BASE).manifest.prototypes[0].digest  # type: ignore[union-attr]
    at = manifest.index(digest.to_bytes(4, "little"))
    wrong = assemble(manifest[:at] + bytes(4) + manifest[at + 4 :], payload)
    data = tensor_delta(wrong, raw_xor([1], np.zeros(LENGTH, dtype=np.uint32)), [(LENGTH,)])
    fails(
        data,
        PayloadError,
        r"^block 0: the base \(a file of \d+ bytes\): prototype 0: the values made from the seed",
        wrong,
    )


@pytest.mark.parametrize("part", ["manifest", "payload"])
def test_manipulated(part: str) -> None:
    """Whatever is changed, content comes out or an error of the format; never anything else."""
    network = kept(1, 600)
    network.prototypes = [StoredPrototype(FLOAT32, floats(40, seed=1))]
    network.masks.append(random_mask(900, 0.5, 7))
    network.entries += [
        Layer("tiled", (900,), 1, TileFill(0)),
        Tensor("t", FLOAT32, (100,), floats(100, seed=2)),
        Tensor("i", BY_NAME["int64"], (50,), np.arange(50, dtype=np.uint64)),
    ]
    base = encode(network)
    data = encode(flipped(network, 0.05), base=base)
    manifest, payload = split(data)
    assert {row.coder for row in decoder_of(data).manifest.masks} == {FLIPS}
    rng = np.random.default_rng(len(part))
    seen = set()
    for _ in range(250):
        if part == "manifest":
            other = resealed(mutated(manifest, rng) or b"\0", payload, 3)
        else:
            changed = bytearray(payload)
            for at in rng.integers(len(changed), size=int(rng.integers(1, 4))):
                changed[at] = int(rng.choice([0, 1, 255, changed[at] ^ 1, int(rng.integers(256))]))
            other = resealed(manifest, bytes(changed), 3)
        try:
            verify_file(other, base=base, max_bytes=1 << 22)
            seen.add("content")
        except FormatError as reason:
            seen.add(reason.kind)
        except pemncodec.BaseFileError:
            seen.add("base")
    assert seen <= {"content", "manifest", "payload", "limit", "base"}
    assert {"content", "payload"} <= seen


# --- work and memory ------------------------------------------------------------------------------------------


def test_many_references_to_two_things(calls: Counter[str]) -> None:
    """A thousand tensors of one element, each in a block of its own, refer in turn to two layers of one element.

    Each of these has a prototype of 10^5 elements. They are decoded twice at most: for the first who asks, and for all.
    """
    length = 100_000
    block = BlockRow(FLOAT32, 3, 6)
    rows: tuple[EntryRow, ...] = tuple(
        TiledRow(f"w{number}", 0, (1,), 0, number, 0, 0, None, None, 0) for number in range(2)
    )
    prototypes = (ValuesRow(length, 0, None), ValuesRow(length, 1, None))
    manifest = Manifest(masks=(MaskRow(0, 1, 1, 0),), blocks=(block, block), prototypes=prototypes, entries=rows)
    base = file_of(manifest, [b"", b"\0\0\0\0\x80\x3f", b"\0\0\0\0\0\x40"])
    count = 1000
    references = [raw_xor([1 + number % 2], np.zeros(1, dtype=np.uint32)) for number in range(count)]
    data = by_hand(
        Manifest(
            blocks=tuple(BlockRow(FLOAT32, XOR, 0) for _ in range(count)),
            entries=tuple(TensorRow(f"t{number}", 0, (1,), number) for number in range(count)),
        ),
        references,
        base,
    )
    loaded = pemncodec.load(data, base=base, threads=1)
    assert [loaded[f"t{number}"].item() for number in range(4)] == [1.0, 2.0, 1.0, 2.0]
    assert calls["block"] <= count + 4
    assert calls["mask"] <= 2


def test_many_masks_of_one_mask(calls: Counter[str]) -> None:
    network = tiled(1, 8000)
    base = encode(network)
    count = 500
    payloads = [raw_flips(0, np.arange(8000) == number) for number in range(count)]
    ones = [int((network.masks[0].to_bool() ^ (np.arange(8000) == number)).sum()) for number in range(count)]
    prototype = decoder_of(base).manifest.prototypes
    data = by_hand(
        Manifest(
            masks=tuple(MaskRow(FLIPS, 8000, one, 0) for one in ones),
            prototypes=prototype,
            entries=tuple(TiledRow(f"w{n}", 0, (8000,), n, 0, 0, 0, None, None, 0) for n in range(count)),
        ),
        payloads,
        base,
    )
    assert verify_file(data, base=base) == count
    assert calls["mask"] <= count + 2


def test_many_references_in_a_chain(calls: Counter[str]) -> None:
    """Each file of the chain has two entries, and each of them refers to the first of the file before: no doubling."""
    shape = (6,)
    base = encode(
        MaskedNetwork(
            [Tensor("t0", FLOAT32, shape, floats(6, seed=1)), Tensor("t1", FLOAT32, shape, floats(6, seed=2))]
        )
    )
    files, depth = [base], 20
    for _ in range(depth):
        manifest = Manifest(
            blocks=(BlockRow(FLOAT32, XOR, 0), BlockRow(FLOAT32, XOR, 0)),
            entries=(TensorRow("t0", 0, shape, 0), TensorRow("t1", 0, shape, 1)),
        )
        zeros = np.zeros(6, dtype=np.uint32)
        files.append(by_hand(manifest, [raw_xor([1], zeros), raw_xor([1], zeros)], files[-1]))
    loaded = pemncodec.load(files[-1], base=files, threads=1)
    for tensor in loaded.values():
        assert tensor.numpy().tobytes() == floats(6, seed=1).tobytes()
    assert calls["block"] <= 4 * depth


def test_a_small_block_that_needs_much_of_the_base() -> None:
    """Ten thousand kept layers of 2^20 elements keep one each: one tensor must not take 40 GB of work."""
    count, size = 10_000, 1 << 20
    network = MaskedNetwork(prototypes=[StoredPrototype(FLOAT32, floats(7, seed=1))], masks=[random_mask(size, 1.0, 1)])
    network.entries = [Layer("w", (size,), 0, TileFill(0))]
    base = encode(network)
    manifest = Manifest(
        masks=(MaskRow(1, size, 1, 0),),
        blocks=(BlockRow(FLOAT32, XOR, 0),),
        entries=tuple(KeptRow(f"w{number}", 0, (size,), 0, 0) for number in range(count)),
    )
    data = by_hand(manifest, [b"\1" + bytes(size // 8 - 1), b"\1" * count + bytes(1 + 4 * count)], base)
    expected = f"^the base values of block 0 decodes to {4 * count * size} bytes"
    with PemnFile(data, base=base, max_bytes=1 << 30) as file, pytest.raises(LimitError, match=expected):
        file.get_numpy("w0")


def huge() -> dict[str, bytes]:
    """Files of some hundred bytes that say they are differences of 2^48 elements."""
    count = 1 << 48
    mask = MaskRow(FLIPS, count, count, 0)
    all_flips = b"\0" + u(count) + b"\0"
    palette = b"\1\3\0\0\0\0\x80\x3f"
    block = BlockRow(FLOAT32, XOR, 0)
    return {
        "tensor": by_hand(Manifest(blocks=(block,), entries=(TensorRow("w", 0, (count,), 0),)), [palette], BASE),
        "kept layer": by_hand(
            Manifest(masks=(mask,), blocks=(block,), entries=(KeptRow("w", 0, (count,), 0, 0),)),
            [all_flips, palette],
            BASE,
        ),
        "tiled layer": by_hand(
            Manifest(
                masks=(mask,),
                prototypes=decoder_of(BASE).manifest.prototypes[:1],
                entries=(TiledRow("w", 0, (count,), 0, 0, 0, 0, None, None, 0),),
            ),
            [all_flips],
            BASE,
        ),
    }


@pytest.mark.parametrize("name", huge())
def test_huge(name: str) -> None:
    """Refused from the manifest alone."""
    data = huge()[name]
    tracemalloc.start()
    try:
        fails(data, LimitError, r"decodes to \d{15,} bytes, but max_bytes allows")
        with PemnFile(data, base=BASE) as file, pytest.raises(LimitError):
            file.get_numpy("w")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_huge_base() -> None:
    """The delta is small, and what it refers to is not: 2^40 bits of flips, for a mask that is a constant."""
    count = 1 << 40
    rows: tuple[EntryRow, ...] = (TiledRow("w", 0, (count,), 0, 0, 0, 0, None, None, 0), AliasRow("x", 0, 0))
    prototypes = decoder_of(BASE).manifest.prototypes[:1]
    base = file_of(Manifest(masks=(MaskRow(0, count, count, 0),), prototypes=prototypes, entries=rows), [b""])
    presence = Manifest(
        masks=(MaskRow(FLIPS, count, 1, 0), MaskRow(0, 1, 1, 0)),
        blocks=(BlockRow(FLOAT32, 0, 0),),
        prototypes=(ValuesRow(count, 0, 0),),
        entries=(TiledRow("w", 0, (1,), 1, 0, 0, 0, None, None, 0),),
    )
    data = by_hand(presence, [b"\0" + u(count - 1) + b"\0", b"", bytes(4)], base)
    tracemalloc.start()
    try:
        fails(data, LimitError, r"decodes to \d{13,} bytes, but max_bytes allows", base)
        with PemnFile(data, base=base) as file, pytest.raises(LimitError, match="prototype 0 decodes to"):
            file.get_numpy("w")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
