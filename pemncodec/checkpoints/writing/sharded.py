"""A state_dict in shards with an index, as `save_pretrained` names them: a folder, written tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...common.files import whole_folder
from ...common.plain_names import below
from ...common.progress import Progress, silent
from ...errors import OutputError
from ..folders import refuse_second
from . import streamed_safetensors, streamed_torch
from .streamed import StreamedTensor, owners

# A folder with one of these suffixes gets files of torch.save, any other one safetensors.
TORCH_SUFFIXES = (".bin", ".pt", ".pth")
_MOST_SHARDS = 99_999  # five digits


def is_torch(path: Path) -> bool:
    """Return whether the shards in an output folder are files of torch.save, by its name."""
    return path.suffix.lower() in TORCH_SUFFIXES


def split(tensors: Sequence[StreamedTensor], size: int, *, ties_once: bool) -> list[list[StreamedTensor]]:
    """Tensors by shards, in their order; a tied tensor is in the shard of the one that it is tied to.

    Args:
        size: bytes of elements of a shard; a tensor that is larger is a shard by itself.
        ties_once: whether a tied tensor takes no bytes.
    """
    taken: dict[str, int] = {}
    own = owners(tensors)
    for tensor in tensors:
        name = own[tensor.name].name
        if name not in taken or not ties_once:
            taken[name] = taken.get(name, 0) + tensor.size
    shards: list[list[StreamedTensor]] = []
    place: dict[str, int] = {}
    filled = 0
    for tensor in tensors:
        name = own[tensor.name].name
        if name not in place:
            if not shards or (filled and filled + taken[name] > size):
                shards.append([])
                filled = 0
            place[name] = len(shards) - 1
            filled += taken[name]
        shards[place[name]].append(tensor)
    return shards or [[]]


def save_sharded(
    tensors: Sequence[StreamedTensor],
    path: Path,
    *,
    size: int,
    metadata: Mapping[str, str],
    files: Mapping[str, bytes],
    overwrite: bool,
    progress: Progress = silent,
) -> int:
    """Write a folder, whole or not at all; no more than one piece of a tensor is held at a time.

    One shard is `model.safetensors`, and has no index; several are `model-00001-of-00002.safetensors` and so on, with
    `model.safetensors.index.json`. Files of torch.save are `pytorch_model.bin` in the same way.

    Args:
        tensors: in the order of the state_dict.
        path: the folder; its suffix decides the kind of file (`is_torch`).
        size: bytes of elements in a shard, unless one tensor has more.
        metadata: `__metadata__` of each safetensors shard; if it is empty `format` is `pt`, which transformers needs.
        files: written beside the shards, by plain names.
        overwrite: whether an empty folder may be replaced.
        progress: called with (bytes done, bytes in total, name).

    Returns:
        The number of shards.

    Raises:
        OutputError: there would be too many shards; a file has the name of a shard; safetensors cannot hold a tensor;
            `path` cannot be written.
        OutputExistsError: there is something at `path`.
        UnsupportedTensorError: the installed torch lacks a dtype.
    """
    torch_files = is_torch(path)
    shards = split(tensors, size, ties_once=torch_files)
    if len(shards) > _MOST_SHARDS:
        raise OutputError(f"{path} would have {len(shards)} shards: use a larger --shard-size")
    stem, suffix = ("pytorch_model", ".bin") if torch_files else ("model", ".safetensors")
    own = owners(tensors)
    sizes = [sum(one.size for one in shard if not torch_files or own[one.name] is one) for shard in shards]
    with whole_folder(path, overwrite=overwrite) as folder:
        names: dict[str, str] = {}
        done = 0
        for number, shard in enumerate(shards, 1):
            name = f"{stem}-{number:05d}-of-{len(shards):05d}{suffix}" if len(shards) > 1 else stem + suffix
            names |= {tensor.name: name for tensor in shard}
            shown = _shown(progress, done, sum(sizes))
            if torch_files:
                streamed_torch.write(shard, folder / name, shown)
            else:
                streamed_safetensors.write(shard, folder / name, shown, dict(metadata) or {"format": "pt"})
            done += sizes[number - 1]
        progress(done, done, "")
        if len(shards) > 1:
            index = {
                "metadata": {"total_size": sum(sizes)},
                "weight_map": {tensor.name: names[tensor.name] for tensor in tensors},
            }
            (folder / f"{stem}{suffix}.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
        for name, data in files.items():
            file = below(folder, name)
            refuse_second(file, name)
            file.write_bytes(data)
    return len(shards)


def _shown(progress: Progress, before: int, total: int) -> Progress:
    def shown(done: int, _: int, name: str) -> None:
        if name:
            progress(before + done, total, name)

    return shown
