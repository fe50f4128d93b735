"""google-research/lottery-ticket-hypothesis: a folder with `initial/`, `final/` and `masks/`, an `.npy` file a tensor.

Weights of a trained network are in `final/`, masks of 0 and 1 under the same names in `masks/`. `initial/` is where
training began; it is left out (`--key initial` packs it instead of `final`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch

from ...draft import Draft
from ...errors import UnknownLayoutError
from ...options import PackOptions
from ..family import Checkpoint, Contents, Family
from ..folders import Folder, OutputFolder
from ..state import State
from .masks_file import with_masks

LAYOUT = "lottery-ticket-hypothesis"


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
    draft = with_masks(_state(folder, which), _state(folder, "masks").tensors, LAYOUT, options, some=False)
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
            raise UnknownLayoutError(f"{name} holds {array.dtype}, which is no type of a tensor") from None
    return State(tensors)


def restore(contents: Contents) -> OutputFolder:
    """`final/` (or what was packed), multiplied by the masks, and `masks/`."""
    which = str(contents.details.get("folder", "final"))
    dtype = getattr(torch, str(contents.details.get("mask", "float32")))
    files: dict[str, np.ndarray[Any, Any] | None] = {"masks/": None}
    files |= {f"{which}/{name}.npy": contents.dense(name).numpy() for name in contents.names}
    files |= {
        f"masks/{name}.npy": contents.mask(name).to(dtype).numpy() for name in contents.names if contents.masked(name)
    }
    return OutputFolder(files)


FAMILY = Family(LAYOUT, recognise, restore, folders=True)
