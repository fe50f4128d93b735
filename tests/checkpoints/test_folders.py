"""Folders and `.npy` files as checkpoints: nothing is read but arrays of numbers in regular files of the folder."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec.checkpoints.npy import load_array
from pemncodec.errors import CheckpointError, UnreadableCheckpointError

from ..cli.test_cli import pemn

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4) - 4


def write_run(folder: Path) -> Path:
    """A folder as Google's lottery tickets have it."""
    run = folder / "run"
    for name, array in (("final", VALUES * (VALUES > 0)), ("masks", (VALUES > 0).astype(np.float64))):
        (run / name).mkdir(parents=True)
        np.save(run / name / "layer0.npy", array)
    return run


def effective(run: Path) -> Any:
    return pemncodec.load(pemncodec.save(pemncodec.load_checkpoint(run)))["layer0"].numpy()


# --- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_is_read(tmp_path: Path) -> None:
    assert np.array_equal(effective(write_run(tmp_path)), np.maximum(VALUES, 0))


@pytest.mark.parametrize("part", ["final", "masks"])
@pytest.mark.parametrize("target", ["relative", "absolute"])
def test_a_link_out_of_the_folder(part: str, target: str, tmp_path: Path) -> None:
    run = write_run(tmp_path)
    secret = tmp_path / "secret.npy"
    (run / part / "layer0.npy").rename(secret)
    (run / part / "layer0.npy").symlink_to(secret if target == "absolute" else "../../secret.npy")
    with pytest.raises(UnreadableCheckpointError, match=f"{part}/layer0.npy points outside the folder"):
        effective(run)


def test_a_folder_that_is_a_link_out_of_the_folder(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "masks").rename(tmp_path / "elsewhere")
    (run / "masks").symlink_to("../elsewhere")
    with pytest.raises(UnreadableCheckpointError, match=r"masks/layer0.npy points outside the folder"):
        effective(run)


def test_links_within_the_folder_and_links_that_nobody_reads(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "masks" / "layer0.npy").rename(run / "kept")
    (run / "masks" / "layer0.npy").symlink_to("../kept")
    (run / "latest").symlink_to("/")
    (run / "nowhere.npy").symlink_to("missing")
    assert np.array_equal(effective(run), np.maximum(VALUES, 0))
    (tmp_path / "linked").symlink_to(run)
    assert np.array_equal(effective(tmp_path / "linked"), np.maximum(VALUES, 0))


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    for target in ("missing", "layer0.npy"):  # the second is a circle
        (run / "masks" / "layer0.npy").unlink()
        (run / "masks" / "layer0.npy").symlink_to(target)
        with pytest.raises(UnreadableCheckpointError, match=r"layer0.npy cannot be read|points outside"):
            effective(run)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "what"),
    [(make_fifo, "a named pipe"), (make_socket, "a socket"), (make_device, "points outside the folder")],
)
def test_what_is_no_file(make: Any, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a pipe would wait for ever, and reading a device would never end."""
    run = write_run(tmp_path)
    place = run / "final" / "layer0.npy"
    place.unlink()
    monkeypatch.chdir(place.parent)  # paths of sockets are short
    make(place)
    with pytest.raises(UnreadableCheckpointError, match=what):
        effective(run)


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "/dev/null", "/dev/random"])
def test_a_checkpoint_that_is_no_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "fifo":
        os.mkfifo(path)
    with pytest.raises(
        UnreadableCheckpointError, match=r"is a (named pipe|device), not a regular file: write .* first"
    ):
        pemncodec.load_checkpoint(path)
    if name != "/dev/zero":
        return
    result = pemn("pack", str(path), "-o", "out.pemn", cwd=tmp_path)
    assert result.returncode == 1
    assert "a pipe or device" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_piped_standard_input(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    code = "import pemncodec; pemncodec.load_checkpoint('/dev/stdin')"
    for piped in (True, False):
        with (tmp_path / "a.pt").open("rb") as file:
            given: dict[str, Any] = {"input": file.read()} if piped else {"stdin": file}
            result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, **given)
        assert (result.returncode == 0) != piped, result.stderr
        assert (
            not piped or b"is a named pipe, not a regular file: write the checkpoint to a file first" in result.stderr
        )


def test_a_name_that_no_path_has() -> None:
    with pytest.raises(UnreadableCheckpointError, match="cannot be read"):
        pemncodec.load_checkpoint("a\0b")


# --- .npy ---------------------------------------------------------------------------------------------------------


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), **options)
    return file.getvalue()


def loaded(data: bytes, folder: Path) -> np.ndarray[Any, Any]:
    (folder / "a.npy").write_bytes(data)
    return load_array(folder / "a.npy")


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    """A file that says so, with 8 bytes of values."""
    padded = text.encode() + b"\n"
    return b"\x93NUMPY" + version + len(padded).to_bytes(2, "little") + padded + bytes(8)


def shaped(shape: str) -> bytes:
    """As `header`, of float32 values."""
    return header("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}")


@pytest.mark.parametrize(
    "array",
    [
        VALUES,
        VALUES.astype(">f4"),
        VALUES.astype(">i8"),
        VALUES.astype(np.complex128),
        VALUES.astype(np.float16),
        np.asfortranarray(VALUES),
        np.asfortranarray(VALUES.astype(">f8")),
        VALUES[:, ::2],
        VALUES > 0,
        np.float64(3.5),
        np.zeros((0, 3), dtype=np.int8),
        np.zeros((3, 0), dtype=">u2"),
        np.arange(24, dtype="<u4").reshape(2, 3, 4).transpose(2, 0, 1),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_arrays(array: Any, version: tuple[int, int], tmp_path: Path) -> None:
    found = loaded(npy(array, version=version), tmp_path)
    assert (found.shape, found.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert found.flags.c_contiguous
    assert np.array_equal(found, array)
    torch.from_numpy(found)


def test_numbers_of_the_other_byte_order_are_the_same_network(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    np.save(run / "final" / "layer0.npy", np.asfortranarray(VALUES).astype(">f4"))
    assert np.array_equal(effective(run), np.maximum(VALUES, 0))


OBJECTS = np.array([{}, None], dtype=object)
RECORDS = np.zeros(2, dtype=[("a", "<f4"), ("b", "<i2")])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY", "not a .npy file"),
        (b"PK\x03\x04" + bytes(60), "not a .npy file"),
        (npy(OBJECTS, allow_pickle=True), "holds Python objects, and reading them would run code"),
        (npy(RECORDS), "not numbers"),
        (header("{'descr': [('€', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"\x03\x00"), "holds records"),
        (npy(np.array(["a", "b"])), "holds str32, not numbers"),
        (npy(np.array([b"a"])), "not numbers"),
        (npy(np.array(["2020-01-01"], dtype="M8[D]")), "not numbers"),
        (npy(np.zeros(3, dtype="V4")), "not numbers"),
        (npy(VALUES) + b"\0", "49 bytes of values, not 12 of float32"),
        (npy(VALUES)[:-1], "47 bytes of values, not 12 of float32"),
        (shaped("(2,)")[:-8], "0 bytes of values, not 2 of float32"),
        (shaped(f"({2**40},)"), "8 bytes of values, not 1099"),
        (shaped(f"({2**62}, {2**62})"), "shape is too large"),
        (shaped(f"(0, {2**61}, 4)"), "shape is too large"),
        (shaped("(-2, -1)"), "it has no valid shape"),
        (shaped("(" + "1, " * 200 + ")"), "it has no valid shape"),
        (header("{'descr': '<f4', 'fortran_order': 3, 'shape': (2,)}"), "damaged .npy header"),
        (header("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,)}"), "not numbers|damaged .npy header"),
        (header("{'descr': [], 'fortran_order': False, 'shape': (1,)}"), "not numbers|damaged .npy header"),
        (header("(" * 9000), "damaged .npy header"),
        (header("__import__('os').abort()"), "damaged .npy header"),
        (header("{'descr': '<f4'"), "damaged .npy header"),
        (header("{}", b"\x09\x09"), "not a .npy file|holds records"),
    ],
)
def test_what_is_no_array_of_numbers(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpointError, match=said) as caught:
        loaded(data, tmp_path)
    assert "\n" not in str(caught.value)


def test_every_prefix_and_every_byte(tmp_path: Path) -> None:
    data = npy(VALUES.astype(np.int16))
    for size in range(len(data)):
        with pytest.raises(CheckpointError):
            loaded(data[:size], tmp_path)
    rng = np.random.default_rng(0)
    for place in range(128):
        for change in rng.integers(1, 256, 4).tolist():
            damaged = bytearray(data)
            damaged[place] ^= change
            try:
                found = loaded(bytes(damaged), tmp_path)
            except CheckpointError:
                continue
            assert found.nbytes == 24
            assert found.dtype.kind in "iufb"


def test_an_array_in_a_folder_that_is_none(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run / "masks" / "layer0.npy").write_bytes(npy(OBJECTS, allow_pickle=True))
    with pytest.raises(CheckpointError, match=r"layer0.npy holds Python objects"):
        effective(run)
