"""Checkpoints that are folders: what is in them, and how one is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Folder:
    """A folder.

    Attributes:
        files: paths of its files, relative to it and with slashes, sorted; those in its folders, too.
        load: reads one: an array for `.npy`, else as `load_checkpoint`. Raises CheckpointError.
    """

    files: tuple[str, ...]
    load: Callable[[str], Any]


@dataclass(frozen=True)
class OutputFolder:
    """A folder to be written: what is in every file, a state_dict (as torch.save writes it) or an array (`.npy`).

    A name that ends with a slash is that of a folder, and has None.
    """

    files: Mapping[str, Mapping[str, Any] | np.ndarray[Any, Any] | None]
