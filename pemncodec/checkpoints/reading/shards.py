"""Folders that hold one state_dict, in one file or in shards with an index (`save_pretrained`).

The index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) says which file holds which tensor. Its names
come from outside: each must be that of a file in the folder itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ...errors import UnreadableCheckpointError
from ...errors.quoting import quoted

_INDEX = ".index.json"
_MAX_INDEX = 1 << 26
_SINGLE = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors", "adapter_model.safetensors")


def network_in(files: Sequence[str], read: Callable[[str], bytes], load: Callable[[str], Any]) -> Any | None:
    """The state_dict of a folder; None where it is a folder of another kind.

    Args:
        files: names of the files in it.
        read: gives the bytes of one.
        load: gives the tensors of one.

    Raises:
        UnreadableCheckpointError: the index is damaged, names files that are not there, or misses tensors.
    """
    indices = [name for name in files if name.endswith(_INDEX) and "/" not in name]
    if len(indices) > 1:
        raise UnreadableCheckpointError(
            f"has {len(indices)} indices of shards ({', '.join(map(quoted, indices[:3]))}): pack a folder with "
            f"one of them"
        )
    if indices:
        return _joined(_weight_map(read(indices[0]), indices[0]), set(files), load)
    single = [name for name in _SINGLE if name in files]
    return load(single[0]) if len(single) == 1 else None


def _weight_map(data: bytes, name: str) -> dict[str, str]:
    if len(data) > _MAX_INDEX:
        raise UnreadableCheckpointError(
            f"has an index of {len(data)} bytes ({quoted(name)}), at most {_MAX_INDEX} are allowed"
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableCheckpointError(f"has a damaged index ({quoted(name)}): fetch it again") from None
    names = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(file, str) for file in names.values()):
        raise UnreadableCheckpointError(f"has an index without a weight_map ({quoted(name)}): fetch it again")
    return names


def _joined(names: Mapping[str, str], files: set[str], load: Callable[[str], Any]) -> dict[str, torch.Tensor]:
    shards: dict[str, Any] = {}
    for file in dict.fromkeys(names.values()):
        if file not in files or "/" in file:  # one plain component, which lies in the folder
            raise UnreadableCheckpointError(f"lacks the shard {quoted(file)} that its index lists: fetch it again")
        shards[file] = load(file)
        if not isinstance(shards[file], Mapping):
            raise UnreadableCheckpointError(f"has a shard that is not a state_dict ({quoted(file)})")
    found: dict[str, torch.Tensor] = {}
    for name, file in names.items():
        if name not in shards[file]:
            raise UnreadableCheckpointError(f"has no tensor {quoted(name)} in {quoted(file)}, where its index lists it")
        found[name] = shards[file][name]
    for file, shard in shards.items():
        extra = next((name for name in shard if name not in names), None)
        if extra is not None:
            raise UnreadableCheckpointError(
                f"has a tensor {quoted(extra)} in {quoted(file)} that its index does not list"
            )
    return found
