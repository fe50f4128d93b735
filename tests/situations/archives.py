"""Zip archives of torch.save that other programs packed again, and writers of the other containers."""

from __future__ import annotations

import io
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
    """Return the records that torch.save writes, by their name in the archive and in its order."""
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


# --- other containers ---------------------------------------------------------------------------------------------


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
