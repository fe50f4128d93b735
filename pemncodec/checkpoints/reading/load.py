"""Read a checkpoint file without running code that it may carry."""

from __future__ import annotations

import io
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from ...container.accidents import accident
from ...container.header import MAGIC
from ...container.manifest.rows import DEFAULT_MAX_BYTES
from ...errors import CheckpointError, CheckpointSizeError, UnreadableCheckpointError, UnsafeCheckpointError
from ..folders import check_regular, open_folder
from . import distributed, mapped, shards, torch_file
from .archive import Archive
from .torch_version import require_safe_torch
from .unpickling import UnknownGlobalError

# What other programs' files begin with, and what to do about it.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is compressed by gzip: decompress it (gunzip) and pack that"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: decompress it (unzstd) and pack that"),
    (b"\xfd7zXZ\0", "is compressed by xz: decompress it (unxz) and pack that"),
    (b"BZh", "is compressed by bzip2: decompress it (bunzip2) and pack that"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive: extract it and pack the checkpoint in it"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file (Keras, h5py): convert it to safetensors"),
    (b"GGUF", "is a GGUF file: pack the checkpoint that it was made from"),
    (b"\x93NUMPY", "is one array, not a state_dict: save a dictionary of tensors (np.savez, torch.save)"),
)
_TAR = (257, b"ustar")


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that is read when it is needed, and may be read a second time to be compared with.

    Attributes:
        path: as for `load_checkpoint`, and so are `unsafe`, `checksums` and `max_bytes`.
    """

    path: Path
    unsafe: bool = False
    checksums: bool = True
    max_bytes: int = DEFAULT_MAX_BYTES

    def load(self) -> Any:
        """Return what `load_checkpoint` returns, and raise what it raises."""
        return load_checkpoint(self.path, unsafe=self.unsafe, checksums=self.checksums, max_bytes=self.max_bytes)


def load_checkpoint(
    path: str | os.PathLike[str], *, unsafe: bool = False, checksums: bool = True, max_bytes: int = DEFAULT_MAX_BYTES
) -> Any:
    """The object that `torch.save` wrote, the tensors of a safetensors or `.npz` file, or a folder; on the CPU.

    The file is read as data: no class or function that it names is looked up. Its content decides what it is, not its
    name. Tensors of large archives are views of the mapped file; a file that becomes shorter meanwhile is noticed when
    the network has been packed.

    Args:
        path: a file of torch.save (of any pickle protocol, an archive that was packed again, the older format), a
            pickle of tensors or arrays, `.safetensors`, `.npz`, or a folder: of one such file, of shards with an
            index, of `torch.distributed.checkpoint`, or of `.npy` files.
        unsafe: unpickle arbitrary objects where there are any. This runs whatever code the file carries.
        checksums: check the CRC-32 of the records of an archive.
        max_bytes: how many bytes tensors may take beyond what the file holds of them: records that are compressed,
            tensors that repeat their elements.

    Raises:
        UnreadableCheckpointError: the file is missing, damaged, or something else.
        CheckpointSizeError: it expands to more than `max_bytes`.
        UnsafeCheckpointError: it holds objects beyond tensors, and `unsafe` is False.
    """
    require_safe_torch()
    path = Path(path)
    try:
        if path.is_dir():
            how = partial(load_checkpoint, unsafe=unsafe, checksums=checksums, max_bytes=max_bytes)
            return _load_folder(path, how, partial(distributed.read, checksums=checksums, max_bytes=max_bytes))
        size = check_regular(path)
        with path.open("rb") as file:
            return _load(path, file, size, unsafe, checksums, max_bytes)
    except FileNotFoundError:
        raise UnreadableCheckpointError(f"{path} does not exist") from None
    except OSError as reason:
        raise UnreadableCheckpointError(f"{path} cannot be read: {reason.strerror or reason}") from None


def _load_folder(path: Path, load: Callable[[Path], Any], load_distributed: Callable[[Path], Any]) -> Any:
    """The state_dict of a folder of shards, a distributed checkpoint, or the folder itself."""
    folder = open_folder(path, lambda file: file.read_bytes() if file.suffix == ".json" else load(file))
    with _saying(path):
        if distributed.is_distributed(name for name in folder.files if "/" not in name):
            return load_distributed(path)
        network = shards.network_in(folder.files, folder.load, folder.load)
    return folder if network is None else network


def _load(path: Path, file: BinaryIO, size: int, unsafe: bool, checksums: bool, max_bytes: int) -> Any:
    head = file.read(512)
    file.seek(0)
    _refuse_other_files(path, head)
    if _is_safetensors(head, size):
        return _load_safetensors(path)
    if not head.startswith((b"PK", b"\x80")):
        raise UnreadableCheckpointError(
            f"{path} is neither a torch.save file nor safetensors: it begins with {head[:8]!r}"
        )
    try:
        with _saying(path):
            if head.startswith(b"PK"):
                return _load_archive(file, size, checksums, max_bytes)
            return torch_file.read_stream(file, size, max_bytes)
    except UnknownGlobalError as reason:
        if unsafe:
            return _load_unsafely(path, file, head)
        raise UnsafeCheckpointError(
            f"{path} holds a {str(reason)[:80]} object, and reading it would run code from the file: save the "
            "state_dict alone, or allow it (--unsafe-pickle, unsafe=True)"
        ) from None


def _load_archive(file: BinaryIO, size: int, checksums: bool, max_bytes: int) -> Any:
    archive = Archive(file, size, checksums=checksums, max_bytes=max_bytes)
    names = list(archive)
    if any(name.endswith("/constants.pkl") for name in names):
        raise UnreadableCheckpointError("is a TorchScript program: save the state_dict of the module instead")
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        read = torch_file.read_archive(archive, max_bytes)
        archive.check()
        return read
    if names and all(name.endswith(".npy") for name in names):
        return {name.removesuffix(".npy"): _array(archive.read(name).numpy().tobytes(), name) for name in names}
    first = repr(names[0][:60]) if names else "empty"
    raise UnreadableCheckpointError(f"is an archive ({first}, …) from neither torch.save nor numpy")


def _array(data: bytes, name: str) -> Any:
    try:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as reason:
        raise UnreadableCheckpointError(
            f"holds {name[:60]!r}, which is not an array of numbers: {str(reason)[:80]}"
        ) from None


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Put the path before a message about a file, and raise one error for any damaged file."""
    try:
        yield
    except (UnknownGlobalError, OSError):
        raise
    except CheckpointError as reason:
        raise type(reason)(f"{path} {reason}") from None
    except MemoryError:
        raise CheckpointSizeError(f"{path} needs more memory than there is") from None
    except Exception:  # a damaged pickle makes the unpickler raise nearly anything
        raise UnreadableCheckpointError(f"{path} is damaged or incomplete: fetch it again") from None


def _load_unsafely(path: Path, file: BinaryIO, head: bytes) -> Any:
    """Through torch or pickle themselves, with all that the file carries."""
    file.seek(0)
    try:
        with warnings.catch_warnings():  # torch warns of what is an error here
            warnings.simplefilter("ignore")
            if head.startswith(b"PK") or torch_file.is_torch_pickle(file):
                return torch.load(file, map_location="cpu", weights_only=False)
            return pickle.load(file)
    except (AttributeError, ModuleNotFoundError) as reason:
        raise UnreadableCheckpointError(
            f"{path} holds objects of a class that cannot be imported here ({reason}): add its folder to PYTHONPATH"
        ) from None
    except MemoryError:
        raise CheckpointSizeError(f"{path} needs more memory than there is") from None
    except Exception:
        raise UnreadableCheckpointError(f"{path} is damaged or incomplete: fetch it again") from None


def _refuse_other_files(path: Path, head: bytes) -> None:
    what = accident(head)
    if what is None:
        what = next((text for magic, text in _OTHERS if head.startswith(magic)), None)
    if what is None and head[_TAR[0] :].startswith(_TAR[1]):
        what = "is a tar archive: extract it and pack the checkpoint in it"
    if what is not None:
        raise UnreadableCheckpointError(f"{path} {what}")
    if head.startswith(MAGIC):
        raise UnreadableCheckpointError(f"{path} is already a .pemn file: use 'pemn unpack', 'pemn diff', 'pemn merge'")


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 8 + length <= size


def _load_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        RecursionError,
    ) as reason:
        raise UnreadableCheckpointError(f"{path} is a damaged safetensors file: {str(reason)[:120]}") from None
    except MemoryError:
        raise CheckpointSizeError(f"{path} needs more memory than there is") from None
    if not mapped.protect(tensors.values()):
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    return tensors
