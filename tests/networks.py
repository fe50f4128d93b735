"""Networks that exercise all that the format can say, files made by hand, and both decoders side by side."""

from __future__ import annotations

import importlib.util
import math
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard
from hypothesis import strategies as st
from numpy.typing import NDArray

from pemncodec.common.dtypes import BY_ID, BY_NAME, FLOAT32, DType
from pemncodec.generators.philox.generator import Generator
from pemncodec.loading.file import PemnFile
from pemncodec.network.mask import Mask
from pemncodec.network.model import (
    Alias,
    GeneratedPrototype,
    KeptFill,
    Layer,
    MaskedNetwork,
    Prototype,
    StoredPrototype,
    Tensor,
    TileFill,
)

if TYPE_CHECKING:
    from decoder import Network

SPEC = Path(__file__).resolve().parent.parent / "spec"
MAX_BYTES = 16 << 30
MASKABLE = [dtype for dtype in BY_ID.values() if dtype.maskable]
# For every task ("" where there are none) its tensors in order: name, dtype, shape, bytes.
Content = dict[str, list[tuple[str, str, tuple[int, ...], bytes]]]
Array = NDArray[Any]


# --- both decoders ------------------------------------------------------------------------------------------


def _second_decoder() -> Any:
    found = importlib.util.spec_from_file_location("second_decoder", SPEC / "decoder.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses look their module up
    found.loader.exec_module(module)
    return module


second = _second_decoder()


def second_decode(data: bytes, task: str | None = None, max_bytes: int = MAX_BYTES) -> Network:
    """Decode a file with the decoder beside the specification."""
    network: Network = second.decode(data, task, max_bytes)
    return network


def second_content(data: bytes, max_bytes: int = MAX_BYTES) -> Content:
    """Every task by the second decoder; DecodeError if the file is not valid."""
    try:
        decoded = {"": second_decode(data, None, max_bytes)}
    except ValueError as error:
        if isinstance(error, second.DecodeError):
            raise
        decoded = {task: second_decode(data, task, max_bytes) for task in second.tasks(data)}
    return {
        task: [(name, t.dtype, t.shape, bytes(t.data)) for name, t in network.tensors.items()]
        for task, network in decoded.items()
    }


def first_content(data: bytes, tasks: list[str]) -> Content:
    """Every task by the package."""
    content: Content = {}
    for task in tasks or [""]:
        with PemnFile(data, task=task or None) as file:
            content[task] = [
                (name, file.dtype(name), file.shape(name), file.get_numpy(name).tobytes()) for name in file
            ]
    return content


def assert_same(data: bytes) -> Content:
    """Both decoders give the same bits for every tensor of every task; returns them."""
    theirs = second_content(data)
    ours = first_content(data, [task for task in theirs if task])
    assert list(ours) == list(theirs)
    for task in theirs:
        assert [row[:3] for row in ours[task]] == [row[:3] for row in theirs[task]]
        for (name, _, _, one), (_, _, _, two) in zip(ours[task], theirs[task], strict=True):
            assert one == two, f"{name!r} of task {task!r} differs"
    for task in theirs:
        with PemnFile(data, task=task or None) as file:
            network = second_decode(data, task or None)
            assert (file.metadata, file.tasks) == (network.metadata, network.tasks)
    return theirs


# --- files made by hand -------------------------------------------------------------------------------------


def u(value: int) -> bytes:
    """LEB128."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + u(value >> 7)


def assemble(manifest: bytes, payload: bytes = b"") -> bytes:
    """A file of version 1.2 with right sizes and checksums around any manifest and payload."""
    pages = [zlib.crc32(payload[start : start + 65536]) for start in range(0, len(payload), 65536)]
    front = manifest + struct.pack(f"<{len(pages)}I", *pages)
    head = b"\x89PEMN\r\n\x1a" + struct.pack("<BBHIIQ", 1, 2, 0, len(manifest), len(manifest), len(payload))
    head += struct.pack("<I", zlib.crc32(front))
    return head + struct.pack("<I", zlib.crc32(head)) + front + payload


def split(data: bytes) -> tuple[bytes, bytes]:
    """The manifest, decompressed, and the payload of a file."""
    size, length, payload_size = struct.unpack_from("<IIQ", data, 12)
    stored = data[36 : 36 + size]
    manifest = stored if size == length else zstandard.ZstdDecompressor().decompress(stored)
    assert len(manifest) == length
    return manifest, data[len(data) - payload_size :]


# --- networks -----------------------------------------------------------------------------------------------


def words(dtype: DType, count: int, seed: int) -> Array:
    """Random bits, and often 0, −0.0, the smallest subnormals, NaNs with payloads, the infinity of float32."""
    rng = np.random.default_rng([dtype.id, count, seed])
    kind = np.dtype(f"u{dtype.word_bytes}")
    if dtype.kind == "bool":
        return rng.integers(0, 2, count, dtype=np.uint8)
    out = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype=kind).copy()
    top = 1 << 8 * kind.itemsize - 1
    special = [0, top, 1, 2 * top - 1, top - 1, top | 1, 0x7F80 << 8 * max(0, kind.itemsize - 2) & top - 1]
    where = rng.random(len(out)) < 0.3
    out[where] = rng.choice(np.array(special, dtype=kind), int(where.sum()))
    return out


def finite(count: int, seed: int) -> Array:
    """float32 words: numbers of moderate size, zeros of both signs, subnormals."""
    values = words(FLOAT32, count, seed)
    return np.where((values >> 23 & 0xFF) > 200, values & 0xBFFFFFFF, values).astype(np.uint32)


def random_mask(length: int, density: float, seed: int) -> Mask:
    return Mask.from_bool(np.random.default_rng([length, seed]).random(length) < density)


def stored(dtype: DType, values: Array, density: float | None = None, seed: int = 0) -> StoredPrototype:
    """A prototype; with a density only some of its elements are stored."""
    if density is None:
        return StoredPrototype(dtype, values)
    presence = random_mask(len(values), density, seed)
    return StoredPrototype(dtype, np.where(presence.to_bool(), values, 0).astype(values.dtype), presence)


def every_dtype() -> MaskedNetwork:
    """Every dtype as tensors (0-d, empty, several pages in a group); the maskable ones also kept and tiled."""
    network = MaskedNetwork(metadata={"ключ\0": "значение", "a": ""})
    for dtype in BY_ID.values():
        for shape in ((), (0, 3), (2, 3, 5)):
            network.entries.append(Tensor(f"{dtype}{shape}", dtype, shape, words(dtype, math.prod(shape), 1)))
    for dtype in MASKABLE:
        network.masks += [random_mask(12, 0.4, dtype.id), random_mask(35, 0.6, dtype.id)]
        network.prototypes.append(stored(dtype, words(dtype, 7, 2), 0.7 if dtype.id % 2 else None))
        kept = KeptFill(dtype, words(dtype, network.masks[-2].count, 3))
        network.entries.append(Layer(f"{dtype}.kept", (3, 4), len(network.masks) - 2, kept))
        tile = TileFill(len(network.prototypes) - 1, phase=3)
        network.entries.append(Layer(f"{dtype}.tiled", (5, 7), len(network.masks) - 1, tile))
    return network


def layers() -> MaskedNetwork:
    """All that a layer can be: zero meanings, scale, phase, partial and generated prototypes, shared masks, aliases."""
    network = MaskedNetwork(masks=[random_mask(48, 0.5, 0), random_mask(0, 0.5, 0), random_mask(1, 1.0, 0)])
    patches = ((0, 0x7FC01234), (5, 0x80000000), (6, 0), (30, 0xFF800000))
    network.prototypes = [
        stored(FLOAT32, finite(10, 4)),
        stored(FLOAT32, finite(64, 5), 0.5),
        GeneratedPrototype(Generator("normal", 33, 2**63 + 5, 2**40 + 1, 0.05)),
        GeneratedPrototype(Generator("uniform", 31, 7, 0, 1e-40, patches)),
        GeneratedPrototype(Generator("sign", 3, 2**64 - 1, 2**64 - 1, 2.5)),
        stored(BY_NAME["float16"], words(BY_NAME["float16"], 5, 6)),
        stored(BY_NAME["float64"], words(BY_NAME["float64"], 1, 7)),
    ]
    fills = [TileFill(p, phase, zero) for p, phase in enumerate((9, 63, 0, 4, 2, 1, 0)) for zero in ("zero", "negated")]
    fills += [TileFill(p, 1, zero, 0.75) for p in (0, 1, 2, 4) for zero in ("zero", "negated")]
    fills += [
        TileFill(p, 1, "second", scale, q, q)
        for p, q in ((0, 1), (2, 3), (1, 1))
        for scale in (None, 1e-38)[: 2 - p // 2]
    ]
    for number, fill in enumerate(fills):
        network.entries.append(Layer(f"layer.{number}", (4, 3, 4), 0, fill))
    network.entries += [
        Layer("empty", (2, 0), 1, fills[0]),
        Alias("tied", "layer.3"),
        Layer("scalar", (), 2, TileFill(2, 32, "negated")),
        Tensor("ä", BY_NAME["int64"], (2,), words(BY_NAME["int64"], 2, 8)),
        Alias("tied too", "ä"),
    ]
    return network


def tasks() -> MaskedNetwork:
    """Two tasks with the same names for different things, what they share, and one without an entry of its own."""
    network = MaskedNetwork(tasks=["one", "zwei", "…"], masks=[random_mask(20, d, 9) for d in (0.1, 0.5, 0.97, 1)])
    network.prototypes = [stored(FLOAT32, finite(6, 10))]
    for task in (1, 2):
        shape = (4, 5) if task == 1 else (20,)
        network.entries.append(Layer("w", shape, task, TileFill(0, task), task))
        network.entries.append(Tensor("bias", BY_NAME["int8"], (task,), words(BY_NAME["int8"], task, 11), task))
        network.entries.append(Alias("w again", "w", task))
    kept = KeptFill(BY_NAME["bfloat16"], words(BY_NAME["bfloat16"], network.masks[0].count, 12))
    network.entries += [Layer("k", (20,), 0, kept), Alias("k1", "k", 1), Layer("full", (20,), 3, TileFill(0), 2)]
    return network


def large() -> MaskedNetwork:
    """Several pages, blocks of one array each, and masks for each of the coders."""
    network = MaskedNetwork(masks=[random_mask(90_000, d, 13) for d in (0, 0.002, 0.1, 0.3, 0.5, 0.999, 1)])
    network.prototypes = [stored(FLOAT32, finite(40_000, 14)), GeneratedPrototype(Generator("normal", 70_001, 3))]
    for number in range(7):
        network.entries.append(Layer(f"{number}.weight", (300, 300), number, TileFill(number % 2, 39_999)))
        network.entries.append(Tensor(f"{number}.bias", FLOAT32, (300,), words(FLOAT32, 300, number)))
    network.entries.append(Tensor("counts", BY_NAME["int64"], (9_000,), np.arange(9_000, dtype=np.uint64) % 300))
    return network


BUILDERS: dict[str, Callable[[], MaskedNetwork]] = {
    function.__name__: function for function in (MaskedNetwork, every_dtype, layers, tasks, large)
}


@st.composite
def prototypes(draw: st.DrawFn) -> Prototype:
    length, seed = draw(st.integers(1, 70)), draw(st.integers(0, 2**64 - 1))
    if draw(st.booleans()):
        dtype = draw(st.sampled_from([FLOAT32, *MASKABLE]))
        values = finite(length, seed) if dtype == FLOAT32 else words(dtype, length, seed)
        return stored(dtype, values, draw(st.sampled_from([None, 0.0, 0.6, 1.0])), seed)
    period = draw(st.sampled_from([length, draw(st.integers(1, length))]))
    zeros = draw(st.sampled_from([0, draw(st.integers(0, period - 1))]))
    patched = draw(st.lists(st.integers(0, period - 1), max_size=3, unique=True))
    patches = tuple((index, draw(st.integers(0, 2**32 - 1))) for index in sorted(patched))
    scale = draw(st.floats(width=32, min_value=2.0**-149, max_value=2.0**100))
    return GeneratedPrototype(
        Generator(
            draw(st.sampled_from(["sign", "uniform", "normal"])),
            length,
            seed,
            draw(st.integers(0, 2**64 - 1)),
            scale,
            patches,
            period,
            zeros,
        )
    )


def _fill(draw: st.DrawFn, pool: list[Prototype]) -> TileFill:
    """A way to fill a layer that the format can say."""
    index = draw(st.integers(0, len(pool) - 1))
    same = [i for i, other in enumerate(pool) if other.dtype == pool[index].dtype]
    zeros = ["zero", "second"] + ["negated"] * pool[index].dtype.has_sign_bit
    zero = draw(st.sampled_from(zeros))
    second = draw(st.sampled_from(same)) if zero == "second" else None
    sources = [pool[index]] if second is None else [pool[index], pool[second]]
    plain = all(isinstance(p, StoredPrototype) or not getattr(p.generator, "patches", ()) for p in sources)
    can_scale = plain and pool[index].dtype == FLOAT32  # the numbers of `finite` are below 2^74
    scale = draw(st.sampled_from([None, 0.5, 1e-39, 3.0])) if can_scale else None
    phases = [0 if used is None else draw(st.integers(0, pool[used].length - 1)) for used in (index, second)]
    return TileFill(index, phases[0], zero, scale, second, phases[1])


_TEXT = st.characters(codec="utf-8", exclude_characters="\0")


@st.composite
def networks(draw: st.DrawFn) -> MaskedNetwork:
    """Any small network."""
    network = MaskedNetwork(metadata=draw(st.dictionaries(st.text(min_size=1), st.text(), max_size=2)))
    network.tasks = draw(st.lists(st.text(_TEXT, min_size=1, max_size=5), max_size=3, unique=True))
    network.prototypes = draw(st.lists(prototypes(), max_size=3))
    taken: set[tuple[str, int]] = set()
    for _ in range(draw(st.integers(0, 8))):
        task = draw(st.integers(0, len(network.tasks)))
        name = draw(st.text(_TEXT, min_size=1, max_size=4))
        while any((name, t) in taken for t in (range(len(network.tasks) + 1) if task == 0 else (0, task))):
            name += "'"
        taken.add((name, task))
        targets = [e for e in network.entries if not isinstance(e, Alias) and e.task in (0, task)]
        if targets and draw(st.integers(0, 4)) == 0:
            network.entries.append(Alias(name, draw(st.sampled_from(targets)).name, task))
            continue
        shape = tuple(draw(st.lists(st.integers(0, 9), max_size=3)))
        n, seed = math.prod(shape), draw(st.integers(0, 2**32))
        kind = draw(st.sampled_from(["tensor", "kept", "tiled"] if network.prototypes else ["tensor", "kept"]))
        if kind == "tensor":
            dtype = draw(st.sampled_from(list(BY_ID.values())))
            network.entries.append(Tensor(name, dtype, shape, words(dtype, n, seed), task))
            continue
        known = [i for i, mask in enumerate(network.masks) if mask.length == n]
        if not known or draw(st.booleans()):
            network.masks.append(random_mask(n, draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])), seed))
            known = [len(network.masks) - 1]
        mask = draw(st.sampled_from(known))
        dtype = draw(st.sampled_from(MASKABLE))
        kept = KeptFill(dtype, words(dtype, network.masks[mask].count, seed))
        network.entries.append(
            Layer(name, shape, mask, kept if kind == "kept" else _fill(draw, network.prototypes), task)
        )
    return network
