"""Write a state_dict: as torch.save does, or safetensors by the output's name; from memory, or piece by piece."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import LimitError, OutputError
from ..output import whole_file, whole_folder
from ..plain_names import below
from ..progress import Progress, silent
from .folders import OutputFolder, refuse_second
from .streamed import StreamedTensor

__all__ = ["StreamedTensor", "save_original", "save_state_dict", "save_streamed"]


def save_streamed(
    tensors: Sequence[StreamedTensor], path: Path, *, overwrite: bool, progress: Progress = silent
) -> None:
    """Write `tensors` to `path`, whole or not at all; no more than one piece of a tensor is held at a time.

    Args:
        tensors: in the order of the state_dict.
        path: where to write: safetensors if it ends in `.safetensors`, else a file as torch.save writes it.
        overwrite: whether an existing file may be replaced.
        progress: called with (bytes done, bytes in total, name).

    Raises:
        OutputError: safetensors cannot hold one of them, or `path` cannot be written.
        OutputExistsError: `path` exists and `overwrite` is False.
        UnsupportedTensorError: the installed torch lacks a dtype.
        ValueError: the tensors contradict themselves: two of one name, pieces that are not the size of the tensor, ties
            to nothing; and whatever `pieces` raises.
    """
    with whole_file(path, overwrite=overwrite) as temporary:
        if path.suffix == ".safetensors":
            from . import streamed_safetensors

            streamed_safetensors.write(tensors, temporary, progress)
        else:
            from . import streamed_torch

            streamed_torch.write(tensors, temporary, progress)


def save_state_dict(tensors: dict[str, torch.Tensor], path: Path, *, overwrite: bool) -> None:
    """Write `tensors` to `path`, whole or not at all.

    Raises:
        OutputError: safetensors cannot hold one of them (sparse, or a dtype), or `path` cannot be written.
        OutputExistsError: `path` exists and `overwrite` is False.
    """
    safetensors = path.suffix == ".safetensors"
    if safetensors:
        for name, tensor in tensors.items():
            if tensor.layout != torch.strided:
                raise OutputError(f"safetensors has no sparse tensors ({name!r}): name the output .pt, or use 'dense'")
    with whole_file(path, overwrite=overwrite) as temporary:
        if safetensors:
            _save_safetensors(tensors, temporary, path)
        else:
            _save_torch(tensors, temporary, path)


def _save_torch(tensors: dict[str, Any], temporary: Path, path: Path) -> None:
    try:
        torch.save(tensors, temporary)
    except RuntimeError as reason:  # torch's writer says of a full disk that its position is unexpected
        free = shutil.disk_usage(temporary.parent).free
        why = f"{free} bytes are free in {path.parent}" if free < 1 << 20 else str(reason).splitlines()[0]
        raise OutputError(f"{path} cannot be written: {why}") from None


def _save_safetensors(tensors: dict[str, torch.Tensor], temporary: Path, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # safetensors refuses tensors that share memory: a tied tensor is written under each of its names
    seen: set[int] = set()
    separate: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        separate[name] = tensor.clone() if tensor.numel() and tensor.data_ptr() in seen else tensor.contiguous()
        seen.add(tensor.data_ptr())
    try:
        save_file(separate, temporary)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as reason:
        if "os error" in str(reason):
            raise OutputError(f"{path} cannot be written: {reason}") from None
        raise OutputError(f"{path} cannot be written as safetensors: {reason}; name the output .pt") from None


def save_original(made: Any, path: Path, *, overwrite: bool, max_bytes: int | None = None) -> int:
    """Write what a family restored (`Family.restore`), whole or not at all.

    Args:
        made: a state_dict, an `OutputFolder`, or what else was saved.
        path: where to write.
        overwrite: whether an existing file may be replaced.
        max_bytes: refuse to write tied tensors, which safetensors holds once a name, if all are more than this.

    Returns:
        The number of tensors.

    Raises:
        LimitError: safetensors would hold more than `max_bytes` of tensors.
        MetadataError: a file of a folder leads out of it.
        OutputError: `path` ends in `.safetensors`, and this is no plain state_dict; or it cannot be written.
        OutputExistsError: `path` exists and `overwrite` is False, or is a folder that would have to be replaced.
    """
    if isinstance(made, OutputFolder):
        _save_folder(made, path, overwrite)
        return sum(1 if isinstance(file, np.ndarray) else len(file or ()) for file in made.files.values())
    if all(isinstance(value, torch.Tensor) for value in made.values()):
        if path.suffix == ".safetensors":
            _check_keys(made)
            total = sum(tensor.numel() * tensor.itemsize for tensor in made.values())
            if max_bytes is not None and total > max_bytes:
                raise LimitError(
                    f"safetensors holds tied tensors once a name, {total} bytes together, and max_bytes allows "
                    f"{max_bytes}: name the output .pt, or raise it if you trust the file"
                )
        save_state_dict(made, path, overwrite=overwrite)
        return len(made)
    if path.suffix == ".safetensors":
        raise OutputError("safetensors holds tensors only, and this layout nests them: name the output .pt")
    with whole_file(path, overwrite=overwrite) as temporary:
        _save_torch(made, temporary, path)
    return sum(1 if isinstance(value, torch.Tensor) else len(value) for value in made.values())


def _check_keys(made: Mapping[Any, Any]) -> None:
    if not all(isinstance(key, str) for key in made):
        raise OutputError("safetensors has names that are strings only: name the output .pt")


def _save_folder(folder: OutputFolder, path: Path, overwrite: bool) -> None:
    """`OutputFolder` has checked the names; here each path is checked once it is known where it leads."""
    with whole_folder(path, overwrite=overwrite) as temporary:
        for name, content in folder.files.items():
            file = below(temporary, name.removesuffix("/"))
            (file if content is None else file.parent).mkdir(parents=True, exist_ok=True)
            if content is None:
                continue
            refuse_second(file, name)
            if isinstance(content, np.ndarray):
                np.save(file, content, allow_pickle=False)
            else:
                _save_torch(dict(content), file, path)
