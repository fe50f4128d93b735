"""google-research/lottery-ticket-hypothesis: a folder with `initial/`, `final/` and `masks/`, an `.npy` file a tensor.

Weights of a trained network are in `final/`, masks of 0 and 1 under the same names in `masks/`. `initial/` is where
training began; it is left out (`--key initial` packs it instead of `final`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch

from ...common import torch_tensors
from ...common.plain_names import plain_name
from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ..draft import Draft
from ..family import Checkpoint, Contents, Family, torch_type
from ..folders import Folder, OutputFolder
from ..options import PackOptions
from ..state import State
from .masks_file import with_masks

NAME = "lottery-ticket-hypothesis"
_MASKS = "masks"


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if the folder has `final/` (or what `key` says) with `masks/`, or with `initial/` before any pruning.

    Raises:
        UnknownLayoutError: a mask without a tensor of its shape, or with values other than 0 and 1.
    """
    folder = checkpoint.raw
    if not isinstance(folder, Folder):
        return None
    which = options.key or "final"
    parts = {PurePosixPath(name).parts[0] for name in folder.files if _is_tensor(name)}
    if which not in parts or not parts & {"masks", "initial"}:
        return None
    draft = with_masks(_state(folder, which), _state(folder, "masks").tensors, NAME, options, some=False)
    draft.dropped += [f"{part}/*.npy" for part in sorted(parts - {which, "masks"})]
    draft.reasons.append(f"the folder has {which}/*.npy and masks/*.npy")
    draft.original["folder"] = which
    return draft


def _is_tensor(name: str) -> bool:
    path = PurePosixPath(name)
    return len(path.parts) == 2 and path.suffix == ".npy"


def _state(folder: Folder, part: str) -> State:
    names = [name for name in folder.files if _is_tensor(name) and PurePosixPath(name).parts[0] == part]
    tensors = {}
    for name in names:
        array = folder.load(name)
        try:
            tensors[PurePosixPath(name).stem] = torch.from_numpy(array.copy(order="C"))
        except TypeError:
            raise UnknownLayoutError(f"{name} holds {array.dtype}, which is not a tensor dtype") from None
    return State(tensors)


def restore(contents: Contents) -> OutputFolder:
    """`final/` (or what was packed), multiplied by the masks, and `masks/`.

    Raises:
        OutputError: numpy lacks a type; a zero bit stands for another value than zero.
        MetadataError: a name of a tensor, or of the folder, is no plain name of a file.
    """
    which: str = contents.details.get("folder", "final")
    dtype = torch_type(contents.details, "mask", torch.float32)
    masked = [name for name in contents.names if contents.masked(name)]
    for name in contents.names:  # before any is decoded
        plain_name(f"{name}.npy")
    files: list[tuple[str, Any]] = [(f"{_MASKS}/", None)]
    files += [(f"{_MASKS}/{name}.npy", _array(contents.mask(name, dtype), name)) for name in masked]
    files += [(f"{which}/{name}.npy", _array(contents.dense(name), name)) for name in contents.names]
    return OutputFolder.of(files)


def _array(tensor: torch.Tensor, name: str) -> np.ndarray[Any, Any]:
    if torch_tensors.dtype_of(tensor, name).numpy_name is None:
        raise OutputError(f"{quoted(name)} is {tensor.dtype}, which .npy files cannot hold: use another layout")
    array: np.ndarray[Any, Any] = tensor.numpy()
    return array


FAMILY = Family(NAME, recognise, restore, folders=True)
