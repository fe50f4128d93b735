"""Read a checkpoint file without running code that it may carry."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..container.header import MAGIC
from ..errors import UnreadableCheckpointError, UnsafeCheckpointError
from ..sniff import accident
from .folders import check_regular, open_folder

_GLOBAL = re.compile(r"(?:GLOBAL |Unsupported (?:global|class): ?(?:GLOBAL )?)([\w.]+)")


def load_checkpoint(path: str | os.PathLike[str], *, unsafe: bool = False) -> Any:
    """The object that `torch.save` wrote, the tensors of a safetensors file, or a folder; on the CPU.

    Tensors of an archive are views of the mapped file: it must stay as it is for as long as they are used.

    Args:
        path: a `.pt`/`.pth`/`.bin` or `.safetensors` file (its content decides, not its name), or a folder of such, or
            of `.npy` files.
        unsafe: unpickle arbitrary objects. This runs whatever code the file carries.

    Raises:
        UnreadableCheckpointError: the file is missing, damaged, or something else.
        UnsafeCheckpointError: it holds objects beyond tensors, and `unsafe` is False.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return open_folder(path, partial(load_checkpoint, unsafe=unsafe))
        size = check_regular(path)
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise UnreadableCheckpointError(f"{path} does not exist") from None
    except OSError as reason:
        raise UnreadableCheckpointError(f"{path} cannot be read: {reason.strerror}") from None
    _refuse_other_files(path, head)
    if _is_safetensors(head, size):
        return _load_safetensors(path)
    return _load_torch(path, head, unsafe)


def _refuse_other_files(path: Path, head: bytes) -> None:
    what = accident(head)
    if what is not None:
        raise UnreadableCheckpointError(f"{path} {what}")
    if head.startswith(MAGIC):
        raise UnreadableCheckpointError(f"{path} is a .pemn file already: use 'pemn unpack' or 'pemn inspect'")


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 8 + length <= size


def _load_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as reason:
        raise UnreadableCheckpointError(f"{path} is a damaged safetensors file: {reason}") from None


def _load_torch(path: Path, head: bytes, unsafe: bool) -> Any:
    if head.startswith(b"PK"):
        _check_archive(path)
    elif not head.startswith(b"\x80"):
        raise UnreadableCheckpointError(
            f"{path} is neither a torch.save file nor safetensors: it begins with {head[:8]!r}"
        )
    try:
        with warnings.catch_warnings():  # torch warns of what is an error here
            warnings.simplefilter("ignore")
            # mapped: a checkpoint may be larger than what is left of memory (only archives can be)
            return torch.load(path, map_location="cpu", weights_only=not unsafe, mmap=head.startswith(b"PK"))
    except pickle.UnpicklingError as reason:
        found = _GLOBAL.search(str(reason))
        if found is not None:
            raise UnsafeCheckpointError(
                f"{path} holds a {found.group(1)} object, and reading it would run code from the file: save the "
                "state_dict alone, or allow it (--unsafe-pickle, unsafe=True) if you trust where it comes from"
            ) from None
        raise UnreadableCheckpointError(f"{path} is a pickle, but none of torch.save, or damaged") from None
    except (AttributeError, ModuleNotFoundError) as reason:
        if unsafe:
            raise UnreadableCheckpointError(
                f"{path} holds objects of a class that cannot be imported here ({reason}): run where it can, with its "
                "folder in PYTHONPATH"
            ) from None
        raise UnreadableCheckpointError(f"{path} is damaged or incomplete: fetch it again") from None
    except MemoryError:
        raise UnreadableCheckpointError(f"{path} needs more memory than there is") from None
    except Exception:  # a damaged file makes torch raise nearly anything, in sentences that help nobody
        raise UnreadableCheckpointError(f"{path} is damaged or incomplete: fetch it again") from None


def _check_archive(path: Path) -> None:
    """torch.save and TorchScript both write zip archives; only the first are checkpoints."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UnreadableCheckpointError(f"{path} is damaged or incomplete: fetch it again") from None
    if any(name.endswith("/constants.pkl") for name in names):
        raise UnreadableCheckpointError(f"{path} is a TorchScript program: save the state_dict of the module instead")
    if not any(name.endswith("data.pkl") for name in names):
        raise UnreadableCheckpointError(
            f"{path} is an archive ({names[0] if names else 'empty'}, …), not a torch.save file"
        )
