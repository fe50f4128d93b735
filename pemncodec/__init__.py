"""Compact, exact files for networks of random weights and trained masks (PEMN) and for pruned networks.

    pemncodec.save_file(checkpoint, "model.pemn", keep=0.5)
    state_dict = pemncodec.load_file("model.pemn")

Importing the package loads neither numpy nor torch; that happens when a function needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors
from .errors import *  # noqa: F403  (a new error needs its class and its name in __all__ there, and nothing here)

__version__ = "0.6.0"

if TYPE_CHECKING:
    from .api import load, load_file, load_model, load_network
    from .checkpoints.loading import load_checkpoint
    from .mask import Mask
    from .network import (
        Alias,
        GeneratedPrototype,
        KeptFill,
        Layer,
        MaskedNetwork,
        StoredPrototype,
        Tensor,
        TileFill,
    )
    from .original import load_original, unpack_original
    from .packing import PackArguments, pack, save, save_file, save_tasks
    from .prototypes.generator import Generator
    from .reader import PemnFile
    from .reader import PemnFile as open  # noqa: N813
    from .report import PackReport
    from .unpacking import unpack_file

_HOMES = {
    "load": "api",
    "load_file": "api",
    "load_model": "api",
    "load_network": "api",
    "pack": "packing",
    "save": "packing",
    "save_file": "packing",
    "save_tasks": "packing",
    "PackArguments": "packing",
    "load_original": "original",
    "unpack_original": "original",
    "load_checkpoint": "checkpoints.loading",
    "Mask": "mask",
    "MaskedNetwork": "network",
    "Alias": "network",
    "GeneratedPrototype": "network",
    "KeptFill": "network",
    "Layer": "network",
    "StoredPrototype": "network",
    "Tensor": "network",
    "TileFill": "network",
    "Generator": "prototypes.generator",
    "PemnFile": "reader",
    "open": "reader",
    "PackReport": "report",
    "unpack_file": "unpacking",
}

__all__ = [
    "Alias",
    "GeneratedPrototype",
    "Generator",
    "KeptFill",
    "Layer",
    "Mask",
    "MaskedNetwork",
    "PackArguments",
    "PackReport",
    "PemnFile",
    "StoredPrototype",
    "Tensor",
    "TileFill",
    "load",
    "load_checkpoint",
    "load_file",
    "load_model",
    "load_network",
    "load_original",
    "open",
    "pack",
    "save",
    "save_file",
    "save_tasks",
    "unpack_file",
    "unpack_original",
]
__all__ += errors.__all__


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), "PemnFile" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
