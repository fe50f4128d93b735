"""Targets `archive` and `legacy`: checkpoints of torch.save, in a zip archive and in the older stream of pickles.

Pickles are changed operation by operation (shapes, strides, offsets, keys, dtypes, names of classes), zip records in
what they hold and in what they say of it. What comes out is compared with what `torch.load(weights_only=True)` makes of
the same file without mapping it, and packed.
"""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
import zipfile
import zlib
from collections import OrderedDict
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch

import pemncodec
from pemncodec.errors import PemnError

from . import values
from .draws import integer, noise
from .harness import ACCEPTED, Target, Wrong
from .packed import flat, pack_and_compare
from .pickles import pickled
from .sandbox import refused, sandbox

MOST_ELEMENTS = 1 << 20  # of all tensors of a checkpoint that is packed


# --- checkpoints ------------------------------------------------------------------------------------------------


@cache
def checkpoints() -> list[Any]:
    """Small objects: plain, wrapped, tied, views, transposed, of many dtypes, scores, masks, nested."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 6, generator=g)
    base = torch.arange(40, dtype=torch.float32)
    pruned = torch.where(torch.rand(8, 8, generator=g) < 0.3, torch.randn(8, 8, generator=g), torch.zeros(()))
    dtypes = {f"t.{n}": torch.arange(6).to(getattr(torch, n)) for n in ("bool", "int8", "int64", "float16", "bfloat16")}
    parameter = torch.nn.Parameter(torch.randn(3, generator=g))
    plain = {"fc.weight": weight, "fc.bias": torch.randn(4, generator=g), "n": torch.tensor(7), "e": torch.empty(0, 3)}
    made: list[Any] = [
        plain,
        OrderedDict(plain),
        {
            "state_dict": dict(plain),
            "epoch": 3,
            "arch": "net",
            "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        },
        {"a": base[3:9], "b": base[10:30].view(4, 5).t(), "c": base[::3], "d": base.expand(2, 40), "tied": base[3:9]},
        {"l.weight": weight, "l.scores": torch.randn(4, 6, generator=g)},
        {"l.weight_orig": weight, "l.weight_mask": (weight > 0).float(), "l.bias": parameter},
        {"pruned.weight": pruned, "other.weight": weight},
        dtypes,
        {"complex": torch.randn(3, dtype=torch.complex64, generator=g), "f64": torch.randn(2, dtype=torch.float64)},
        [weight, weight],
        {},
        weight,
    ]
    return made


def saved(checkpoint: Any, **how: Any) -> bytes:
    """The bytes that torch.save writes."""
    out = io.BytesIO()
    torch.save(checkpoint, out, **how)
    return out.getvalue()


@cache
def archives() -> list[bytes]:
    """Each checkpoint as an archive."""
    return [saved(checkpoint) for checkpoint in checkpoints()]


@cache
def streams() -> list[bytes]:
    """Each checkpoint as the older format."""
    return [saved(checkpoint, _use_new_zipfile_serialization=False) for checkpoint in checkpoints()]


# --- archives ---------------------------------------------------------------------------------------------------

Record = tuple[str, bytes, int]


def make_archive(rng: Random) -> bytes:
    """An archive with a pickle, a record, or what the archive says of one changed."""
    return mutate_archive(rng.choice(archives()), rng)


def mutate_archive(data: bytes, rng: Random) -> bytes:
    """The same of any archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records = [(one.filename, archive.read(one), one.compress_type) for one in archive.infolist()]
    except Exception:
        return noise(data, rng)
    if rng.randrange(10) == 0:
        return _patched(data, rng)
    before = len(records)
    for _ in range(rng.choice([1, 1, 2])):
        _change_records(records, rng)
    again = before != len(records) or rng.randrange(3)
    made = _written(records, rng) if again else data
    last = rng.randrange(10)
    if last == 0:
        return _patched(made, rng)
    if last == 1:
        return made[: rng.randrange(len(made) + 1)]
    return noise(made, rng) if last == 2 else made


def _change_records(records: list[Record], rng: Random) -> None:
    if not records:
        return
    kind = rng.randrange(14)
    at = rng.randrange(len(records))
    if kind < 6:
        at = next((n for n, one in enumerate(records) if one[0].endswith("data.pkl")), at)
        records[at] = records[at][0], pickled(records[at][1], rng), records[at][2]
    elif kind < 8:
        choice = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
        which = [at] if rng.randrange(2) else range(len(records))
        for number in which:
            records[number] = *records[number][:2], choice
    elif kind == 8:
        records[at] = records[at][0], noise(records[at][1], rng), records[at][2]
    elif kind == 9:
        records.insert(rng.randrange(len(records) + 1), records[at])
    elif kind == 10:
        del records[at]
    elif kind == 11:
        rng.shuffle(records)
    elif kind == 12:
        names = [name for name, _, _ in records]
        new = [
            *names,
            "archive/data/0",
            "archive/data/../0",
            "/abs",
            "archive/byteorder",
            "constants.pkl",
            "x/data.pkl",
        ]
        records[at] = rng.choice(new), *records[at][1:]
    else:
        other = rng.randrange(len(records))
        records[at] = records[at][0], records[other][1], records[at][2]


def _written(records: list[Record], rng: Random) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        with zipfile.ZipFile(out, "w") as archive:
            for name, content, how in records:
                info = zipfile.ZipInfo(name or "x")
                info.compress_type = how
                if rng.randrange(2):  # as torch.save aligns what it stores
                    start = out.tell() + 30 + len(info.filename.encode("utf-8", "replace")) + 4
                    info.extra = b"FB" + struct.pack("<H", -start % 64) + bytes(-start % 64)
                archive.writestr(info, content)
            if rng.randrange(20) == 0:
                archive.comment = rng.randbytes(9)
    return out.getvalue()


def _patched(data: bytes, rng: Random) -> bytes:
    """A field of a local header, of the central directory, or of its end, says something else."""
    out = bytearray(data)
    which = rng.choice([(b"PK\3\4", 4, 30), (b"PK\1\2", 4, 46), (b"PK\5\6", 4, 22), (b"PK\6\6", 4, 56)])
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == which[0]]
    if not places:
        return noise(data, rng)
    start = rng.choice(places)
    width = rng.choice([2, 2, 4])
    at = start + rng.randrange(which[1], which[2] - width + 1, 2)
    old = int.from_bytes(out[at : at + width], "little")
    value = rng.choice([integer(rng, old), old ^ 1 << rng.randrange(8 * width), old + 1]) % (1 << 8 * width)
    out[at : at + width] = value.to_bytes(width, "little")[: max(0, len(out) - at)]
    return bytes(out)


def make_legacy(rng: Random) -> bytes:
    """A stream of pickles, changed in one of them, or in the storages after them."""
    return mutate_legacy(rng.choice(streams()), rng)


def mutate_legacy(data: bytes, rng: Random) -> bytes:
    """The same of any stream."""
    starts, at = [], 0
    for _ in range(5):
        starts.append(at)
        try:
            at += 1 + max(place or 0 for _, _, place in pickletools.genops(data[at:]))
        except Exception:
            return noise(data, rng)
    if rng.randrange(6) == 0:
        return data[:at] + noise(data[at:], rng)
    start = rng.choice(starts)
    return data[:start] + pickled(data[start:], rng)


# --- what reads them --------------------------------------------------------------------------------------------


def check_archive(data: bytes) -> str:
    """`load_checkpoint` and `pack` of an archive; a record whose CRC is wrong must not have been believed."""
    return _check(data, "in.pt", _damaged)


def check_legacy(data: bytes) -> str:
    """The same of a stream, which has no checksums."""
    return _check(data, "in.pth", lambda data: None)  # noqa: ARG005


def _check(data: bytes, name: str, damaged: Any) -> str:
    with sandbox(**{name.replace(".", "__"): data}) as folder:
        try:
            loaded = pemncodec.load_checkpoint(folder / name, max_bytes=1 << 22)
        except PemnError as reason:
            return refused(reason)
        found = damaged(data)
        if found is not None:
            raise Wrong("crc-accepted", f"record {found!a} does not agree with its CRC-32, and was read")
        outcome = _as_torch_has_it(folder / name, loaded)
        packed = pack_and_compare(loaded, {})
        return outcome if packed == ACCEPTED else packed


def _damaged(data: bytes) -> str | None:
    """The first record of values or of the pickle whose CRC-32 is wrong."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.filename.endswith("data.pkl") and "/data/" not in info.filename:
                continue
            try:
                with archive.open(info) as file:
                    file.read()
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError):
                return info.filename
            except (NotImplementedError, RuntimeError):  # a way of compressing that Python lacks
                continue
    return None


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta and tensor.numel() <= MOST_ELEMENTS


def _as_torch_has_it(path: Path, loaded: Any) -> str:
    """Compare with torch's own reading, which maps nothing."""
    try:
        expected = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
        kept = [torch.full((24,), 1.5) for _ in range(64)]  # so that memory that is not written to differs
        again = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
        del kept
    except Exception:  # there is nothing to compare with
        return "accepted, and torch.load refuses"
    one, two = flat(expected), flat(loaded)
    if any(values.row(tensor) != values.row(flat(again)[key]) for key, tensor in one.items() if _is_plain(tensor)):
        return "accepted, and torch.load gives memory that it did not write to"
    if list(one) != list(two):
        raise Wrong("torch-load-names", f"{list(one)!a:.400} and {list(two)!a:.400}")
    for key, tensor in one.items():
        if _is_plain(tensor):
            values.same("torch-load", {str(key): tensor}, {str(key): two[key]}, zeros=False)
    return ACCEPTED


TARGETS = [
    Target("archive", ".pt", make_archive, mutate_archive, check_archive, "torch.save archives: pickles, zip records"),
    Target("legacy", ".pth", make_legacy, mutate_legacy, check_legacy, "torch.save before 1.6: a stream of pickles"),
]
