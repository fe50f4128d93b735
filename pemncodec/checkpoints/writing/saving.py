"""Write a state_dict: as torch.save does, or safetensors by the output's name; from memory, or piece by piece."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...common import torch_tensors
from ...common.files import whole_file, whole_folder
from ...common.plain_names import below
from ...common.progress import Progress, silent
from ...errors import LimitError, OutputError
from ..folders import OutputFolder, refuse_second
from .streamed import StreamedTensor

__all__ = ["StreamedTensor", "check_size", "save_original", "save_state_dict", "save_streamed"]


def check_size(
    tensors: Sequence[StreamedTensor], path: Path, max_bytes: int, *, safetensors: bool | None = None
) -> None:
    """Refuse to write more than `max_bytes` of elements. Safetensors has a tied tensor under each of its names.

    Args:
        safetensors: whether these are written; by default `path` says it.

    Raises:
        LimitError: they are more.
    """
    every = path.suffix == ".safetensors" if safetensors is None else safetensors
    size = sum(tensor.size for tensor in tensors if every or tensor.same_as is None)
    if size > max_bytes:
        ties = ": name the output .pt, where tied tensors are stored once" if every else ""
        raise LimitError(f"{path} would take {size} bytes, but max_bytes allows {max_bytes}{ties}")


def save_streamed(
    tensors: Sequence[StreamedTensor],
    path: Path,
    *,
    overwrite: bool,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> None:
    """Write `tensors` to `path`, whole or not at all; no more than one piece of a tensor is held at a time.

    Args:
        tensors: in the order of the state_dict.
        path: where to write: safetensors if it ends in `.safetensors`, else a file as torch.save writes it.
        overwrite: whether an existing file may be replaced.
        metadata: the `__metadata__` of a safetensors file.
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

            streamed_safetensors.write(tensors, temporary, progress, metadata)
        else:
            from . import streamed_torch

            streamed_torch.write(tensors, temporary, progress)


def save_state_dict(
    tensors: dict[str, torch.Tensor],
    path: Path,
    *,
    overwrite: bool,
    max_bytes: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write `tensors` to `path`, whole or not at all.

    Args:
        max_bytes: as of `check_size`, for safetensors.
        metadata: the `__metadata__` of a safetensors file.

    Raises:
        LimitError: as `check_size`.
        UnsupportedTensorError: a dtype that the format does not have, for safetensors.
        OutputError: safetensors cannot hold one of them (sparse, or a dtype), or `path` cannot be written.
        OutputExistsError: `path` exists and `overwrite` is False.
    """
    safetensors = path.suffix == ".safetensors"
    if safetensors:
        for name, tensor in tensors.items():
            if tensor.layout != torch.strided:
                raise OutputError(f"safetensors has no sparse tensors ({name!r}): name the output .pt, or use 'dense'")
        streamed = _streamed(tensors)
        if max_bytes is not None:
            check_size(streamed, path, max_bytes)
        save_streamed(streamed, path, overwrite=overwrite, metadata=metadata)
        return
    with whole_file(path, overwrite=overwrite) as temporary:
        _save_torch(tensors, temporary, path)


def _save_torch(tensors: dict[str, Any], temporary: Path, path: Path) -> None:
    try:
        torch.save(tensors, temporary)
    except RuntimeError as reason:  # torch's writer says of a full disk that its position is unexpected
        free = shutil.disk_usage(temporary.parent).free
        why = f"{free} bytes are free in {path.parent}" if free < 1 << 20 else str(reason).splitlines()[0]
        raise OutputError(f"{path} cannot be written: {why}") from None


def _streamed(tensors: dict[str, torch.Tensor]) -> list[StreamedTensor]:
    """Dense tensors for a file of safetensors. Names of one tensor are tied, and nothing is copied for them."""
    first: dict[int, str] = {}
    streamed = []
    for name, tensor in tensors.items():
        same_as = first.setdefault(id(tensor), name)
        pieces = partial(_pieces, tensor, name)
        dtype = torch_tensors.dtype_of(tensor, name)
        tied = None if same_as == name else same_as
        streamed.append(StreamedTensor(name, dtype, tuple(tensor.shape), pieces, tied))
    return streamed


def _pieces(tensor: torch.Tensor, name: str) -> Iterator[NDArray[np.generic]]:
    words = torch_tensors.to_words(tensor, name)[1]
    yield words.astype(words.dtype.newbyteorder("<"), copy=False)


def save_original(
    made: Any,
    path: Path,
    *,
    overwrite: bool,
    max_bytes: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write what a family restored (`Family.restore`), whole or not at all.

    Args:
        made: a state_dict, an `OutputFolder`, or what else was saved.
        path: where to write.
        overwrite: whether an existing file may be replaced.
        max_bytes, metadata: as of `save_state_dict`.

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
        save_state_dict(made, path, overwrite=overwrite, max_bytes=max_bytes, metadata=metadata)
        return len(made)
    if path.suffix == ".safetensors":
        raise OutputError("safetensors holds tensors only, and this layout nests them: name the output .pt")
    with whole_file(path, overwrite=overwrite) as temporary:
        _save_torch(made, temporary, path)
    return sum(1 if isinstance(value, torch.Tensor) else len(value) for value in made.values())


def _check_keys(made: Mapping[Any, Any]) -> None:
    if not all(isinstance(key, str) for key in made):
        raise OutputError("safetensors allows only strings as names: name the output .pt")


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
