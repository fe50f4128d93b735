"""Containers: zip archives that were packed again or damaged, pickles, safetensors, and what is none of these."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors.torch import save_file

from ..layouts.rules import edge_popup
from .situation import Draws, Kind, Outcome, State, layers_under, masked, or_refused, refused, right, save

KIND = Kind("archives")
DAMAGED = "CRC|damaged|incomplete|corrupt|truncated|checksum"
Method = Callable[[str], int]
Edit = Callable[[str, bytes], bytes | None]


def network() -> State:
    """A pruned matrix that compresses, noise that does not, and other types."""
    draws = Draws(31)
    weight = draws.weight(64, 40)
    return {
        "fc.weight": masked(weight, draws.mask(64, 40, density=0.1)),
        "fc.bias": draws.weight(64),
        "steps": torch.arange(7),
        "half.weight": draws.pruned(16, 9).half(),
        "flags": draws.mask(2, 5),
    }


def records(state: Any, **how: Any) -> dict[str, bytes]:
    """What torch.save writes, by name within the archive, in its order."""
    stream = io.BytesIO()
    torch.save(state, stream, **how)
    with zipfile.ZipFile(stream) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(
    path: Path,
    state: Any,
    method: Method = lambda _: zipfile.ZIP_STORED,
    edit: Edit = lambda _, data: data,
    order: Callable[[list[str]], list[str]] = list,
) -> None:
    """The archive of torch.save as another program packs it; names are given without the first folder."""
    entries = records(state)
    with zipfile.ZipFile(path, "w") as archive:
        for name in order(list(entries)):
            _, _, own = name.partition("/")
            data = edit(own, entries[name])
            if data is not None:
                archive.writestr(name, data, compress_type=method(own))


def is_storage(name: str) -> bool:
    return name.startswith("data/")


def repacked(name: str, **how: Any) -> None:
    """The same network under another way of packing."""

    def write(folder: Path) -> Outcome:
        state = network()
        rewritten(folder / "a.pt", state, **how)
        return right(state, checkpoint=state)

    KIND.add(name, write)


DEFLATED, STORED = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED
OLD = ("byteorder", ".format_version", ".storage_alignment", ".data/serialization_id")

repacked("every record deflated", method=lambda _: DEFLATED)
repacked("storages deflated, the pickle stored", method=lambda name: DEFLATED if is_storage(name) else STORED)
repacked("the pickle deflated, storages stored", method=lambda name: STORED if is_storage(name) else DEFLATED)
repacked("one storage deflated", method=lambda name: DEFLATED if name == "data/0" else STORED)
repacked("stored without alignment")
repacked("records in reverse", order=lambda names: names[::-1])
repacked("storages before the pickle, deflated", order=sorted, method=lambda _: DEFLATED)
repacked("as older releases wrote it", edit=lambda name, data: None if name in OLD else data)


@KIND
def deflated_with_scores_and_ties(folder: Path) -> Outcome:
    draws = Draws(32)
    weight, scores = draws.weight(20, 8), draws.weight(20, 8)
    state = {"enc.weight": weight, "enc.scores": scores, "dec.weight": weight, "row": scores[2]}
    rewritten(folder / "a.pt", {"state_dict": state, "epoch": 3}, method=lambda _: DEFLATED)
    dense = {"enc.weight": masked(weight, edge_popup(scores, 0.5)), "dec.weight": weight, "row": scores[2]}
    evaluate = layers_under("scores", lambda tensor: edge_popup(tensor, 0.5))
    return right(dense, "--keep", "0.5", checkpoint={"state_dict": state}, evaluate=evaluate)


@KIND
def compressed_by_what_torch_cannot_read(folder: Path) -> Outcome:
    state = network()
    rewritten(folder / "a.pt", state, method=lambda _: zipfile.ZIP_LZMA)
    return or_refused(right(state), "compress|LZMA|cannot|damaged")


class Unseekable(io.RawIOBase):
    """A pipe: zip sizes follow the data."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self.file.write(data)


def _through_a_pipe(method: int) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = network()
        with (folder / "a.pt").open("wb") as file, zipfile.ZipFile(Unseekable(file), "w") as archive:
            for name, data in records(state).items():
                archive.writestr(name, data, compress_type=method)
        return right(state, checkpoint=state)

    return write


KIND.add("data descriptors", _through_a_pipe(STORED))
KIND.add("data descriptors, deflated", _through_a_pipe(DEFLATED))


@KIND
def zip64(folder: Path) -> Outcome:
    state = network()
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        for name, data in records(state).items():
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    return right(state, checkpoint=state)


@KIND
def folders_and_a_comment(folder: Path) -> Outcome:
    """As `zip -r` leaves entries for folders."""
    state = network()
    entries = records(state)
    root = next(iter(entries)).partition("/")[0]
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        archive.comment = b"packed again " * 20
        for name in ("", "data/"):
            archive.writestr(f"{root}/{name}", b"")
        for name, data in entries.items():
            archive.writestr(name, data, compress_type=DEFLATED)
    return right(state, checkpoint=state)


@KIND
def zipped_from_within(folder: Path) -> Outcome:
    """Without the folder that torch.save puts around the records."""
    state = network()
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        for name, data in records(state).items():
            archive.writestr(name.partition("/")[2], data)
    return or_refused(right(state), "damaged|torch.save|zip")


@KIND
def an_archive_that_was_unpacked(folder: Path) -> Outcome:
    for name, data in records(network()).items():
        path = folder / "model" / name.partition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return refused("folder|zip", source="model")


@KIND
def bytes_behind_the_archive(folder: Path) -> Outcome:
    state = network()
    save(folder, state)
    with (folder / "a.pt").open("ab") as file:
        file.write(bytes(100))
    return or_refused(right(state), DAMAGED)


def swapped(tensor: torch.Tensor) -> bytes:
    """The elements of a storage in the other order of bytes."""
    array = tensor.contiguous().view(torch.uint8 if tensor.element_size() == 1 else tensor.dtype)
    width = tensor.element_size() // 2 if tensor.is_complex() else tensor.element_size()
    raw = np.frombuffer(array.reshape(-1).view(torch.uint8).numpy().tobytes(), np.uint8)
    return raw.reshape(-1, width)[:, ::-1].tobytes()


def _from_a_big_endian_machine(method: int) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(33)
        state = network() | {
            "double": draws.weight(3).double(),
            "brain.weight": draws.pruned(6, 6).bfloat16(),
            "z": torch.complex(draws.weight(4), draws.weight(4)),
        }
        storages = {f"data/{number}": tensor for number, tensor in enumerate(state.values())}

        def edit(name: str, data: bytes) -> bytes:
            if name == "byteorder":
                return b"big"
            return swapped(storages[name]) if name in storages else data

        rewritten(folder / "a.pt", state, edit=edit, method=lambda _: method)
        return or_refused(right(state), "big-endian|byte order|byteorder")

    return write


KIND.add("of a big-endian machine", _from_a_big_endian_machine(STORED))
KIND.add("of a big-endian machine, deflated", _from_a_big_endian_machine(DEFLATED))


# --- damage --------------------------------------------------------------------------------------------------------


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


def as_safetensors(path: Path, state: State) -> None:
    save_file(state, path)


def as_legacy(path: Path, state: State) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def as_archive(path: Path, state: State) -> None:
    torch.save(state, path)


WRITERS: dict[str, Callable[[Path, State], None]] = {
    "archive": as_archive,
    "legacy file": as_legacy,
    "safetensors file": as_safetensors,
}
for kind, writer in WRITERS.items():
    for share in (0.0, 0.001, 0.02, 0.1, 0.5, 0.9, 1.0):
        KIND.add(f"{kind} cut at {share}", _cut(share, writer))


# --- names and contents ----------------------------------------------------------------------------------------------


def _called(file: str, writer: Callable[[Path, State], None]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = network()
        writer(folder / file, state)
        return right(state, source=file, checkpoint=state)

    return write


for file, kind in (
    ("a.safetensors", "archive"),
    ("a.bin", "archive"),
    ("pytorch_model", "archive"),
    ("a.npz", "archive"),
    ("a.zip", "archive"),
    ("a.safetensors", "legacy file"),
    ("a.pkl", "legacy file"),
    ("a.pt", "safetensors file"),
    ("a.bin", "safetensors file"),
    ("a.pth.tar", "safetensors file"),
):
    KIND.add(f"{kind} called {file}", _called(file, WRITERS[kind]))


def _protocol(number: int, legacy: bool, unsafe: bool, strict: bool) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = network()
        save(folder, state, pickle_protocol=number, _use_new_zipfile_serialization=not legacy)
        outcome = right(state, *(["--unsafe-pickle"] if unsafe else []), checkpoint=state)
        return outcome if strict or unsafe else or_refused(outcome, "unsafe-pickle")

    return write


for number in (2, 3, 4, 5):
    for legacy in (False, True):
        title = f"pickle protocol {number}{', legacy' if legacy else ''}"
        KIND.add(title, _protocol(number, legacy, False, number < 4 or (number == 4 and not legacy)))
        KIND.add(f"{title}, unsafe", _protocol(number, legacy, True, True))


def _plain_pickle(number: int, unsafe: bool, arrays: bool) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = network()
        content: Any = {name: tensor.numpy() for name, tensor in state.items()} if arrays else state
        with (folder / "a.pkl").open("wb") as file:
            pickle.dump(content, file, protocol=number)
        if not unsafe:
            return or_refused(right(state, source="a.pkl", checkpoint=state), "unsafe-pickle")
        outcome = right(state, "--unsafe-pickle", source="a.pkl", checkpoint=state)
        return outcome if number > 1 else or_refused(outcome, "pickle|neither")  # text: its begin tells nothing

    return write


for number in (0, 2, 4, 5):
    KIND.add(f"pickle.dump, protocol {number}, unsafe", _plain_pickle(number, True, False))
KIND.add("pickle.dump of arrays, unsafe", _plain_pickle(4, True, True))
KIND.add("pickle.dump", _plain_pickle(4, False, False))
KIND.add("pickle.dump, protocol 2", _plain_pickle(2, False, False))
KIND.add("pickle.dump of arrays", _plain_pickle(4, False, True))


@KIND
def torchscript(folder: Path) -> Outcome:
    """A program beside its parameters."""
    entries = records(network())
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        root = next(iter(entries)).partition("/")[0]
        archive.writestr(f"{root}/constants.pkl", pickle.dumps((), protocol=2))
        archive.writestr(f"{root}/code/__torch__.py", "class Net(Module):\n  pass\n")
    return refused("TorchScript", error="UnreadableCheckpointError")


def raw_archive() -> bytes:
    stream = io.BytesIO()
    torch.save(network(), stream)
    return stream.getvalue()


def in_a_tar() -> bytes:
    stream = io.BytesIO()
    data = raw_archive()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("model.pt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def in_a_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model.pt", raw_archive())
    return stream.getvalue()


def in_npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, *[tensor.numpy() for tensor in network().values()])
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, network()["fc.weight"].numpy())
    return stream.getvalue()


# What it is, by a pattern that the message must have: the name of the file tells nothing.
OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip": (lambda: gzip.compress(raw_archive()), "gzip"),
    "bzip2": (lambda: bz2.compress(raw_archive()), "bzip2|neither a torch.save"),
    "xz": (lambda: lzma.compress(raw_archive()), r"\bxz\b|neither a torch.save"),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd\x04\x00" + bytes(600), "zstd|zstandard|neither a torch.save"),
    "tar": (in_a_tar, r"\btar\b"),
    "zip": (in_a_zip, r"\bzip\b|archive"),
    "7-Zip": (lambda: b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(600), "7-?zip|7z"),
    "npy": (npy, "npy|numpy|array"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(600), "hdf5|h5"),
    "GGUF": (lambda: b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + bytes(600), "gguf"),
    "ONNX": (lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:" + bytes(600), "onnx|neither a torch.save"),
    "a web page": (lambda: b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n", "html|web page"),
    "a pointer of Git LFS": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n",
        "lfs",
    ),
    "nothing": (lambda: b"", "empty"),
}


def _something_else(content: Callable[[], bytes], words: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        (folder / "a.pt").write_bytes(content())
        return refused(words, error="UnreadableCheckpointError")

    return write


for title, (content, words) in OTHERS.items():
    KIND.add(f"{title} called a.pt", _something_else(content, words))


@KIND
def npz_called_a_pt(folder: Path) -> Outcome:
    """Arrays by number: taken for a network of such names, or named for what they are."""
    (folder / "a.pt").write_bytes(in_npz())
    state = {f"arr_{number}": tensor for number, tensor in enumerate(network().values())}
    return or_refused(right(state), "npz|numpy")


# --- safetensors -----------------------------------------------------------------------------------------------------


def _bad_safetensors(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], Outcome]:
    """Two vectors of 8 float32, and a header that says something else of them."""

    def write(folder: Path) -> Outcome:
        header = {
            "a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
            "b": {"dtype": "F32", "shape": [8], "data_offsets": [32, 64]},
        }
        change(header)
        text = json.dumps(header).encode()
        (folder / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
        return refused(f"{DAMAGED}|safetensors", source="a.safetensors", error="UnreadableCheckpointError")

    return write


KIND.add("safetensors that overlap", _bad_safetensors(lambda h: h["b"].update(data_offsets=[16, 48])))
KIND.add("safetensors with a hole", _bad_safetensors(lambda h: h["b"].update(data_offsets=[40, 72])))
KIND.add("safetensors of another size", _bad_safetensors(lambda h: h["b"].update(shape=[9])))
KIND.add("safetensors of an unknown type", _bad_safetensors(lambda h: h["b"].update(dtype="F33")))
KIND.add("safetensors of a negative size", _bad_safetensors(lambda h: h["b"].update(shape=[-8])))
