"""Files whose name says something else than their content, pickles, and files that are no checkpoints."""

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
from typing import Any

import numpy as np
import torch

from .archives import DAMAGED, WRITERS, network, records
from .situation import Kind, Outcome, State, or_refused, refused, right, save

KIND = Kind("contents")


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
            return or_refused(right(state, source="a.pkl", checkpoint=content), "unsafe-pickle")
        outcome = right(state, "--unsafe-pickle", source="a.pkl", checkpoint=content)
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
