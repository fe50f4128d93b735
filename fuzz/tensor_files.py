"""Targets `safetensors` and `arrays`: headers, offsets and bytes of safetensors and of folders of `.npy`."""

from __future__ import annotations

import io
import json
import math
import struct
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

import pemncodec
from pemncodec.errors import PemnError

from . import values
from .archives import checkpoints
from .draws import bundle, integer, noise, unbundle
from .harness import ACCEPTED, Target
from .jsons import any_json
from .packed import pack_and_compare
from .sandbox import OUTWARD, refused, sandbox

CODES = {
    **{"BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32},
    **{"I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64},
    **{"U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64, "F8_E4M3": torch.float8_e4m3fn},
    **{"F8_E5M2": torch.float8_e5m2, "C64": torch.complex64},
}
NAMES = ["a", "weight", "l.scores", "l.weight", "__metadata__", "module.x", "", "é", "x" * 2000, *OUTWARD[:4]]


# --- safetensors ------------------------------------------------------------------------------------------------


@cache
def headers() -> list[tuple[dict[str, Any], bytes]]:
    """Headers and data of the small checkpoints that are state_dicts."""
    codes = {dtype: code for code, dtype in CODES.items()}
    found = []
    for checkpoint in checkpoints():
        if not isinstance(checkpoint, dict) or not all(isinstance(t, torch.Tensor) for t in checkpoint.values()):
            continue
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        data = b""
        for name, tensor in checkpoint.items():
            if tensor.dtype in codes:
                row = values.bits(tensor)
                place = [len(data), len(data) + len(row)]
                header[name] = {"dtype": codes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": place}
                data += row
        found.append((header, data))
    return found


def make_safetensors(rng: Random) -> bytes:
    """A file with something in its header changed, or its bytes."""
    header, data = rng.choice(headers())
    return _mutated(json.loads(json.dumps(header)), data, rng)


def mutate_safetensors(data: bytes, rng: Random) -> bytes:
    """The same of any file."""
    size = int.from_bytes(data[:8], "little")
    try:
        return _mutated(json.loads(data[8 : 8 + size]), data[8 + size :], rng)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return noise(data, rng)


def _mutated(header: dict[str, Any], data: bytes, rng: Random) -> bytes:
    for _ in range(rng.choice([1, 1, 2])):
        _change_header(header, data, rng)
    text = json.dumps(header)
    kind = rng.randrange(16)
    if kind == 0 and len(header) > 1:  # a name twice
        text = text[:-1] + ", " + json.dumps({list(header)[-1]: list(header.values())[-2]})[1:]
    elif kind == 1:
        text = rng.choice(
            ["[" * 50_000, text + " ", " " + text, text.replace(":", ": ") + "   ", text[:-1], "{}", "null"]
        )
    raw = text.encode("utf-8", "surrogatepass")
    size = len(raw) if rng.randrange(10) else integer(rng, len(raw)) % (1 << 64)
    if rng.randrange(8) == 0:
        data = noise(data, rng)
    return struct.pack("<Q", size) + raw + data


def _change_header(header: dict[str, Any], data: bytes, rng: Random) -> None:
    names = [name for name, row in header.items() if isinstance(row, dict) and "dtype" in row]
    if not names:
        header[rng.choice(NAMES)] = any_json(rng)
        return
    name = rng.choice(names)
    row = header[name]
    kind = rng.randrange(10)
    if kind == 0:
        row["dtype"] = rng.choice([*CODES, "F4", "f32", "", "F8_E8M0", "F6_E2M3", 1, None])
    elif kind == 1:
        shape = row.get("shape")
        if isinstance(shape, list) and all(isinstance(dim, int) for dim in shape):
            row["shape"] = rng.choice([[], [0], [*shape, 1], shape[1:], [math.prod(shape)], [-1], [1 << 40, 0]])
    elif kind == 2:
        row["shape"] = any_json(rng)
    elif kind == 3:
        row["data_offsets"] = rng.choice(
            [[0, len(data)], [0, 0], [4, 8], [8, 4], [len(data), len(data) + 4], any_json(rng)]
        )
    elif kind == 4:
        header[rng.choice(NAMES)] = header.pop(name)
    elif kind == 5:
        header[rng.choice(NAMES)] = dict(row)
    elif kind == 6:
        header["__metadata__"] = any_json(rng)
    elif kind == 7:
        del header[name]
    elif kind == 8:
        row[rng.choice(["dtype", "shape", "data_offsets", "extra"])] = any_json(rng)
    else:
        order = list(header.items())
        rng.shuffle(order)
        header.clear()
        header.update(order)


def check_safetensors(data: bytes) -> str:
    """Check that the loaded tensors are those that the header describes in the bytes after it; then pack them."""
    name = "in.safetensors" if len(data) % 3 else "in.bin"
    with sandbox(**{name.replace(".", "__"): data}) as folder:
        try:
            loaded = pemncodec.load_checkpoint(folder / name)
        except PemnError as reason:
            return refused(reason)
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        expected = {
            key: tensor
            for key, row in header.items()
            if key != "__metadata__" and (tensor := _tensor(row, data[8 + size :])) is not None
        }
        values.same("header", expected, loaded, zeros=False)
        return pack_and_compare(loaded, {})


def _tensor(row: dict[str, Any], data: bytes) -> torch.Tensor | None:
    """The tensor of a row of the header; None of a type that is not listed here."""
    dtype = CODES.get(row["dtype"])
    start, stop = row["data_offsets"]
    if dtype is None:
        return None
    if start == stop:
        return torch.empty(row["shape"], dtype=dtype)
    return torch.frombuffer(bytearray(data[start:stop]), dtype=dtype).reshape(row["shape"])


# --- folders of arrays ------------------------------------------------------------------------------------------

DESCR = [
    "<f4",
    ">f4",
    "<f8",
    "<f2",
    "<i8",
    ">i8",
    "|b1",
    "|u1",
    "<u4",
    "<c8",
    "|O",
    "<U4",
    "|S3",
    "<M8[s]",
    "|V4",
    "",
    "<f16",
]


def _array(rng: Random, shape: tuple[int, ...], mask: bool) -> bytes:
    out = io.BytesIO()
    count = math.prod(shape)
    flat = np.array([rng.random() < 0.5 if mask else rng.gauss(0, 1) for _ in range(count)])
    kind = rng.choice(["<f4", "<f4", "<f4", ">f4", "<f8", "<f2", "|b1", "<i4", "|O"])
    array = flat.reshape(shape).astype(kind)
    np.save(out, np.asfortranarray(array) if rng.randrange(6) == 0 else array, allow_pickle=True)
    return out.getvalue()


def _changed(data: bytes, rng: Random) -> bytes:
    """The header of an array says something else, or its bytes are others."""
    kind = rng.randrange(6)
    if kind == 0:
        return noise(data, rng)
    if kind == 1:
        return data[: rng.randrange(len(data) + 1)]
    size = int.from_bytes(data[8:10], "little")
    text = data[10 : 10 + size].decode("latin-1")
    if kind == 2:
        text = text.replace(text.split("'descr': ")[-1].split(",")[0], repr(rng.choice(DESCR)))
    elif kind == 3:
        shape = rng.choice(
            ["()", "(0,)", "(1,)", "(2, 3)", f"({integer(rng, 6)},)", "(-1,)", "(1 << 40,)", "None", "[3]"]
        )
        text = text.split("'shape': ")[0] + f"'shape': {shape}, }}"
    elif kind == 4:
        text = text.replace("False", rng.choice(["True", "None", "1"]))
    else:
        text = rng.choice([text[:-2], "{}", "{" * 2000, text.replace("'descr'", "'other'"), "__import__('os')"])
    raw = text.rstrip().encode("latin-1") + b"\n"
    version = rng.choice([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\t\0"])
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(raw))
    return data[:6] + version + length + raw + data[10 + size :]


def make_folder(rng: Random) -> bytes:
    """`final/` and `masks/` (or what is nearly that) with arrays of a few layers: names and contents in turn."""
    parts: list[bytes] = []
    for layer in ("conv1", "fc")[: rng.randrange(1, 3)]:
        for field, shape in (("w", (rng.randrange(1, 4), 3)), ("b", (3,))):
            for part in ("initial", "final", "masks"):
                if rng.randrange(8) == 0 or (part == "masks" and field == "b"):
                    continue
                content = _array(rng, shape, part == "masks")
                if rng.randrange(6) == 0:
                    content = _changed(content, rng)
                folder = part if rng.randrange(12) else rng.choice(["final", "masks", "other", "initial"])
                name = rng.choice([f"{layer}_{field}", f"{layer}_{field}", f"{layer}.{field}", layer])
                parts += [f"{folder}/{name}.npy".encode(), content]
    if rng.randrange(10) == 0:
        parts += [rng.choice([b"mask.pth", b"model_ep1_it0.pth", b"final/x.txt", b"deep/er/x.npy"]), rng.randbytes(20)]
    return bundle(parts)


def check_folder(data: bytes) -> str:
    """A folder is packed, or refused."""
    parts = unbundle(data)
    with sandbox() as folder:
        top = folder / "out-checkpoint"
        for name, content in zip(parts[::2], parts[1::2], strict=False):
            path = top / name.decode("utf-8", "replace")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            loaded = pemncodec.load_checkpoint(top)
            packed = pemncodec.save(loaded)
            tensors = pemncodec.load(packed, threads=1)
        except PemnError as reason:
            return refused(reason)
        _as_saved(top, tensors)
        return ACCEPTED


def _as_saved(top: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Arrays without a mask are the same, bit for bit; those with one, where it is not zero."""
    expected: dict[str, torch.Tensor] = {}
    for path in (top / "final").glob("*.npy"):
        array = np.load(path, allow_pickle=False)
        mask = top / "masks" / path.name
        if mask.exists():
            array = np.where(np.load(mask, allow_pickle=False) != 0, array, np.zeros((), array.dtype))
        native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        expected[path.stem] = torch.from_numpy(native)
    values.same("array", expected, tensors, zeros=True)


def mutate_folder(data: bytes, rng: Random) -> bytes:
    """One of the files changed."""
    parts = unbundle(data)
    if len(parts) < 2:
        return make_folder(rng)
    at = 1 + 2 * rng.randrange(len(parts) // 2)
    parts[at] = _changed(parts[at], rng)
    return bundle(parts)


TARGETS = [
    Target(
        "safetensors",
        ".safetensors",
        make_safetensors,
        mutate_safetensors,
        check_safetensors,
        "headers, offsets, types, names of safetensors",
    ),
    Target("arrays", ".files", make_folder, mutate_folder, check_folder, "folders of .npy files"),
]
