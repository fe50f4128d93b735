"""Folders that hold one state_dict, in one file or in shards with an index (`save_pretrained`).

A shard that is read whole is mapped, not copied, as every large file is.

The index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) says which file holds which tensor. Its names
come from outside: each must be that of a file in the folder itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ...errors import UnreadableCheckpointError
from ...errors.quoting import quoted

_INDEX = ".index.json"
_MAX_INDEX = 1 << 26
_SHARD = re.compile(r".+-\d{3,}-of-(\d{3,})\.\w+")
SINGLE = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors", "adapter_model.safetensors")


def network_in(files: Sequence[str], read: Callable[[str], bytes], load: Callable[[str], Any]) -> Any | None:
    """The state_dict of a folder; None where it is a folder of another kind.

    Args:
        files: names of the files in it.
        read: gives the bytes of one.
        load: gives the tensors of one.

    Raises:
        UnreadableCheckpointError: the index is damaged or missing, names files that are not there, or misses tensors;
            a tensor is in two shards; the folder has several networks.
    """
    indices = [name for name in files if name.endswith(_INDEX) and "/" not in name]
    if len(indices) > 1:
        raise UnreadableCheckpointError(
            f"has {len(indices)} indices of shards ({', '.join(map(quoted, indices[:3]))}): pack a folder with "
            f"one of them"
        )
    if indices:
        return _joined(_weight_map(read(indices[0]), indices[0]), set(files), load)
    single = [name for name in SINGLE if name in files]
    if len(single) > 1:
        raise UnreadableCheckpointError(f"has {' and '.join(single[:2])}: pack one of these files")
    if not single:
        _refuse_lone(files)
    return load(single[0]) if single else None


def weight_files(files: Sequence[str], read: Callable[[str], bytes]) -> list[str]:
    """Names of the files of a folder that hold its network, or say where it is; none where it is of another kind.

    Raises:
        UnreadableCheckpointError: as `network_in`, for the index.
    """
    indices = [name for name in files if name.endswith(_INDEX) and "/" not in name]
    named = {file for name in indices for file in _weight_map(read(name), name).values()}
    return [name for name in files if name in named or name in indices or name in SINGLE]


def _refuse_lone(files: Sequence[str]) -> None:
    """Refuse shards without an index, and say which are there."""
    lone = [name for name in files if "/" not in name and _SHARD.fullmatch(name)]
    for name in lone:
        count = int(_SHARD.fullmatch(name)[1])  # type: ignore[index]
        raise UnreadableCheckpointError(
            f"has {len(lone)} of {count} shards ({quoted(name)}) and no index ({_INDEX}): fetch the whole folder again"
        )


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
    counts = {match[1] for file in names.values() if (match := _SHARD.fullmatch(file))}
    if len(counts) > 1:
        raise UnreadableCheckpointError(
            f"has an index of shards of different sets (of {' and of '.join(sorted(counts)[:2])}): fetch it again"
        )
    missing = [file for file in dict.fromkeys(names.values()) if file not in files or "/" in file]
    if len(missing) > 1:
        raise UnreadableCheckpointError(
            f"lacks {len(missing)} shards that its index lists (first: {quoted(missing[0])}): fetch them"
        )
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
        twice = next((name for name in shard if names.get(name, file) != file), None)
        if twice is not None:
            raise UnreadableCheckpointError(
                f"has {quoted(twice)} in two shards, {quoted(file)} and {quoted(names[twice])}: fetch it again"
            )
        extra = next((name for name in shard if name not in names), None)
        if extra is not None:
            raise UnreadableCheckpointError(
                f"has a tensor {quoted(extra)} in {quoted(file)} that its index does not list"
            )
    return found
