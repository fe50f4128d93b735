"""Containers with a bit flipped, a record missing or the end cut off: what is damaged is never packed."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from .archives import DAMAGED, DEFLATED, STORED, WRITERS, network, records, rewritten
from .situation import Draws, Kind, Outcome, State, or_refused, refused, right

KIND = Kind("damage")


def _flipped(record: str, method: int) -> Callable[[Path], Outcome]:
    """One bit of the bytes of a record differs."""

    def write(folder: Path) -> Outcome:
        state = network()
        path = folder / "a.pt"
        rewritten(path, state, method=lambda _: method)
        data = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            info = next(info for info in archive.infolist() if info.filename.partition("/")[2] == record)
        name, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
        data[info.header_offset + 30 + name + extra + info.compress_size // 2] ^= 16
        path.write_bytes(data)
        return refused(DAMAGED, error="UnreadableCheckpointError")

    return write


for record in ("data/0", "data/1", "data/4", "data.pkl", "byteorder"):
    KIND.add(f"a bit of {record} flipped", _flipped(record, STORED))
for record in ("data/0", "data.pkl"):
    KIND.add(f"a bit of {record} flipped, deflated", _flipped(record, DEFLATED))


@KIND
def a_bit_of_a_checksum_flipped(folder: Path) -> Outcome:
    path = folder / "a.pt"
    rewritten(path, network())
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        crc = next(info.CRC for info in archive.infolist() if info.filename.endswith("data/1"))
    place = data.rindex(struct.pack("<I", crc))  # in the directory
    data[place] ^= 1
    path.write_bytes(data)
    return refused(DAMAGED, error="UnreadableCheckpointError")


def _with_storage(edit: Callable[[bytes], bytes | None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        rewritten(folder / "a.pt", network(), edit=lambda name, data: edit(data) if name == "data/1" else data)

    return write


@KIND
def a_storage_is_shorter_than_its_tensor(folder: Path) -> Outcome:
    """The checksum agrees; what lies behind it in the file is no value."""
    _with_storage(lambda data: data[:-8])(folder)
    return refused(f"{DAMAGED}|short|less|bytes", error="UnreadableCheckpointError")


@KIND
def a_storage_is_longer_than_its_tensor(folder: Path) -> Outcome:
    _with_storage(lambda data: data + bytes(8))(folder)
    return or_refused(right(network()), f"{DAMAGED}|long|bytes")


@KIND
def a_storage_is_missing(folder: Path) -> Outcome:
    _with_storage(lambda _: None)(folder)
    return refused(f"{DAMAGED}|missing", error="UnreadableCheckpointError")


@KIND
def two_records_of_one_name(folder: Path) -> Outcome:
    """Programs differ in which of them they read."""
    state = {"w": Draws(34).pruned(16, 16)}
    entries = records(state)
    name = next(name for name in entries if name.endswith("data/0"))
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        for entry, data in entries.items():
            archive.writestr(entry, data)
        archive.NameToInfo.pop(name)  # else zipfile warns
        archive.writestr(name, (state["w"] * 2).numpy().tobytes())
    return refused(f"{DAMAGED}|twice|same name|two records|duplicate")


def _cut(share: float, writer: Callable[[Path, State], None]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        path = folder / "a.pt"
        writer(path, network())
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))] if share < 1 else data[:-1])
        return refused(f"{DAMAGED}|empty|ends|neither", error="UnreadableCheckpointError")

    return write


for kind, writer in WRITERS.items():
    for share in (0.0, 0.001, 0.02, 0.1, 0.5, 0.9, 1.0):
        KIND.add(f"{kind} cut at {share}", _cut(share, writer))
