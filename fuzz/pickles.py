"""Pickles changed operation by operation: integers, strings, names of classes, and what stands where."""

from __future__ import annotations

import pickletools
import struct
from random import Random

from .draws import integer, noise

STRINGS = [
    *("torch", "FloatStorage", "HalfStorage", "LongStorage", "DoubleStorage", "ByteStorage", "UntypedStorage", "cpu"),
    *("cuda:0", "meta", "0", "1", "7", "-1", "../0", "storage", "fc.weight", "l.scores", "", "x" * 3000, "weight_mask"),
]
GLOBALS = [
    *(b"torch._utils\n_rebuild_tensor_v2\n", b"torch._utils\n_rebuild_parameter\n", b"torch\nFloatStorage\n"),
    *(b"torch\nDoubleStorage\n", b"torch\nBoolStorage\n", b"torch\nComplexFloatStorage\n", b"torch\nbfloat16\n"),
    *(b"collections\nOrderedDict\n", b"torch._utils\n_rebuild_sparse_tensor\n", b"torch._utils\n_rebuild_qtensor\n"),
    *(b"torch._utils\n_rebuild_meta_tensor_no_storage\n", b"torch\nSize\n", b"torch.serialization\n_get_layout\n"),
    *(b"builtins\nset\n", b"_codecs\nencode\n", b"argparse\nNamespace\n", b"builtins\nprint\n"),
    *(b"torch._utils\n_rebuild_device_tensor_from_numpy\n", b"torch._utils\n_rebuild_nested_tensor\n"),
]


def pickled(data: bytes, rng: Random) -> bytes:
    """A pickle with some of its operations changed; what follows its end stays."""
    operations: list[bytes] = []
    end = 0
    try:
        places = [at for _, _, at in pickletools.genops(data) if at is not None]
    except Exception:  # what is no pickle any more
        return noise(data, rng)
    for at, stop in zip(places, [*places[1:], places[-1] + 1], strict=True):
        operations.append(data[at:stop])
        end = stop
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind = rng.randrange(12)
        at = rng.randrange(len(operations))
        if kind < 7:
            at = rng.choice([n for n, one in enumerate(operations) if one[:1] in b"KMJ\x8aX\x88\x89(tG}]N"] or [at])
            operations[at] = _operation(operations[at], rng)
        elif kind == 7:
            at = rng.choice([n for n, one in enumerate(operations) if one[:1] == b"c"] or [at])
            operations[at] = b"c" + rng.choice(GLOBALS)
        elif kind == 8:
            del operations[at]
        elif kind == 9:
            operations.insert(at, operations[rng.randrange(len(operations))])
        elif kind == 10:
            other = rng.randrange(len(operations))
            operations[at], operations[other] = operations[other], operations[at]
        else:
            operations[at] = noise(operations[at], rng)
        if not operations:
            break
    return b"".join(operations) + data[end:]


def _operation(one: bytes, rng: Random) -> bytes:
    """Another argument, or another operation with the same place on the stack."""
    code = one[:1]
    if code in b"KMJ\x8a" and rng.randrange(6):
        size = {b"K": 1, b"M": 2, b"J": 4}.get(code, len(one) - 2)
        value = int.from_bytes(one[-size:], "little", signed=code in b"J\x8a")
        return _int(rng.choice([integer(rng, abs(value)), -value, -1, value + 1, value * 2, 0, 1, 1 << 40]))
    if code == b"X" and rng.randrange(6):
        text = one[5:].decode("utf-8", "replace")
        return _text(rng.choice([rng.choice(STRINGS), text + ".", text[:-1], text[::-1]]))
    return rng.choice(
        [b"N", b"\x88", b"\x89", b"}", b"]", b")", _int(3), _text("x"), b"G\x7f\xf8" + bytes(6), b"0", b"2"]
    )


def _int(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(9, "little", signed=True) if abs(value) < 1 << 70 else b"\1"
    return b"\x8a" + bytes([len(data)]) + data


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return b"X" + struct.pack("<I", len(data)) + data
