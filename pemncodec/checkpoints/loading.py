"""Read a checkpoint file without running code that it may carry."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from ..container.header import MAGIC
from ..errors import UnreadableCheckpointError, UnsafeCheckpointError

_GLOBAL = re.compile(r"(?:GLOBAL |Unsupported (?:global|class): ?(?:GLOBAL )?)([\w.]+)")


def load_checkpoint(path: str | os.PathLike[str], *, unsafe: bool = False) -> Any:
    """The object that `torch.save` wrote, or the tensors of a safetensors file; on the CPU.

    Args:
        path: a `.pt`/`.pth`/`.bin` or `.safetensors` file; its content decides, not its name.
        unsafe: unpickle arbitrary objects. This runs whatever code the file carries.

    Raises:
        UnreadableCheckpointError: the file is missing, damaged, or something else.
        UnsafeCheckpointError: it holds objects beyond tensors, and `unsafe` is False.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise UnreadableCheckpointError(f"{path} is a folder, not a checkpoint file")
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
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        raise UnreadableCheckpointError(f"{path} is empty: fetch it again")
    if start.startswith(b"version https://git-lfs"):
        raise UnreadableCheckpointError(
            f"{path} is a Git LFS pointer, not the checkpoint itself: run 'git lfs pull' and try again"
        )
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise UnreadableCheckpointError(
            f"{path} is a web page, not a checkpoint: the download was answered with a page; fetch the raw file"
        )
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
    if not (head.startswith((b"PK\x03\x04", b"\x80"))):
        raise UnreadableCheckpointError(
            f"{path} is neither a torch.save file nor safetensors: it begins with {head[:8]!r}"
        )
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=not unsafe)
        return loaded
    except pickle.UnpicklingError as reason:
        text = str(reason)
        if "Weights only load failed" in text or "weights_only" in text:
            found = _GLOBAL.search(text)
            if found is not None:
                raise UnsafeCheckpointError(
                    f"{path} holds a {found.group(1)} object, and reading it would run code from the file: save the "
                    "state_dict alone, or allow it (--unsafe-pickle) if you trust where it comes from"
                ) from None
        raise UnreadableCheckpointError(f"{path} is damaged: {_first_line(reason)}") from None
    except MemoryError:
        raise UnreadableCheckpointError(f"{path} needs more memory than there is") from None
    except Exception as reason:  # a damaged file makes torch raise nearly anything
        raise UnreadableCheckpointError(
            f"{path} is damaged or incomplete: {_first_line(reason)}; fetch it again"
        ) from None


def _first_line(reason: BaseException) -> str:
    lines = str(reason).strip().splitlines()
    return lines[0][:160] if lines else type(reason).__name__
