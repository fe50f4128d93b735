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
    from .checkpoints.reading.load import load_checkpoint
    from .generators.philox.generator import Generator
    from .loading.differences import Difference, Pair, PrototypeDifference, TensorDifference
    from .loading.file import PemnFile
    from .loading.file import PemnFile as open  # noqa: N813
    from .loading.load import load, load_file, load_network
    from .loading.load_masks import load_masks
    from .loading.load_model import load_model
    from .loading.original import load_original, unpack_original
    from .loading.slices import TensorSlices
    from .loading.switching import switch_task
    from .loading.unpack import unpack_file
    from .network.mask import Mask
    from .network.model import (
        Alias,
        GeneratedPrototype,
        KeptFill,
        Layer,
        MaskedNetwork,
        StoredPrototype,
        Tensor,
        TileFill,
    )
    from .packed.tensor import PackedTensor
    from .packing.diffing import diff
    from .packing.merging.merge import merge_files
    from .packing.report import PackReport
    from .packing.save import pack, pack_file, save, save_file, save_tasks

_HOMES = {
    "load": "loading.load",
    "load_file": "loading.load",
    "load_masks": "loading.load_masks",
    "load_model": "loading.load_model",
    "load_network": "loading.load",
    "pack": "packing.save",
    "pack_file": "packing.save",
    "save": "packing.save",
    "save_file": "packing.save",
    "save_tasks": "packing.save",
    "load_original": "loading.original",
    "unpack_original": "loading.original",
    "load_checkpoint": "checkpoints.reading.load",
    "Mask": "network.mask",
    "MaskedNetwork": "network.model",
    "Alias": "network.model",
    "GeneratedPrototype": "network.model",
    "KeptFill": "network.model",
    "Layer": "network.model",
    "StoredPrototype": "network.model",
    "Tensor": "network.model",
    "TileFill": "network.model",
    "Generator": "generators.philox.generator",
    "PemnFile": "loading.file",
    "open": "loading.file",
    "PackReport": "packing.report",
    "unpack_file": "loading.unpack",
    "TensorSlices": "loading.slices",
    "switch_task": "loading.switching",
    "PackedTensor": "packed.tensor",
    "diff": "packing.diffing",
    "Difference": "loading.differences",
    "Pair": "loading.differences",
    "PrototypeDifference": "loading.differences",
    "TensorDifference": "loading.differences",
    "merge_files": "packing.merging.merge",
}

__all__ = [
    "Alias",
    "Difference",
    "GeneratedPrototype",
    "Generator",
    "KeptFill",
    "Layer",
    "Mask",
    "MaskedNetwork",
    "PackReport",
    "PackedTensor",
    "Pair",
    "PemnFile",
    "PrototypeDifference",
    "StoredPrototype",
    "Tensor",
    "TensorDifference",
    "TensorSlices",
    "TileFill",
    "diff",
    "load",
    "load_checkpoint",
    "load_file",
    "load_masks",
    "load_model",
    "load_network",
    "load_original",
    "merge_files",
    "open",
    "pack",
    "pack_file",
    "save",
    "save_file",
    "save_tasks",
    "switch_task",
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
