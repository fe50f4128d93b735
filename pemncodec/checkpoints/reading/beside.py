"""Parts of a checkpoint beside its tensors: the `__metadata__` of safetensors, and small files of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ...common.plain_names import why_not_plain
from ...errors import CheckpointError, UnreadableCheckpointError
from ...errors.quoting import quoted
from ..folders import Folder, open_folder
from ..kept import MAX_FILES
from . import distributed, shards
from .distributed_metadata import NAME


def safetensors_metadata(path: Path) -> tuple[dict[str, str], list[str]]:
    """The `__metadata__` of a safetensors file, or of the shards of a folder, and notes on what is not kept.

    Shards that hold different values for a key keep none of them.

    Args:
        path: a checkpoint that was read without an error.
    """
    files = [path]
    if path.is_dir():
        folder = _folder(path)
        files = [folder.load(name) for name in _weights(folder) if not name.endswith((".json", distributed.SUFFIX))]
    found = [header for file in files if (header := _header(file)) is not None]
    shared = {key: value for key, value in (found[0] if found else {}).items() if all(key in one for one in found)}
    same = {key: value for key, value in shared.items() if all(one[key] == value for one in found)}
    lost = sorted({key for one in found for key in one if key not in same})
    notes = [f"safetensors metadata {quoted(lost[0])} differs between shards and is not kept"] if lost else []
    return same, notes


def included(path: Path, patterns: Sequence[str]) -> dict[str, bytes]:
    """The files of a folder whose names match a pattern (`fnmatch`), by name; those that hold the network are none.

    Only regular files directly in the folder are looked at.

    Raises:
        CheckpointError: it is no folder, a pattern matches nothing, a name is not plain, or there are too many bytes.
    """
    if not patterns:
        return {}
    if not path.is_dir():
        raise CheckpointError("is not a folder: --include keeps files that stand beside the network in a folder")
    folder = _folder(path)
    weights = set(_weights(folder))
    names = [name for name in _direct(folder) if name not in weights and not name.endswith(".npy")]
    chosen = []
    for pattern in patterns:
        matched = [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            raise CheckpointError(f"has no file directly in it that matches {quoted(pattern)}, beside its weights")
        chosen += matched
    files, left = {}, MAX_FILES
    for name in dict.fromkeys(chosen):
        reason = why_not_plain(name)
        if reason is not None:
            raise CheckpointError(f"has a file {quoted(name)} that cannot be kept: its name {reason}")
        file = folder.load(name)
        left -= file.stat().st_size
        if left < 0:
            raise CheckpointError(
                f"has more than {MAX_FILES} bytes of files to include (with {quoted(name)}): include fewer, such as "
                "'config.json'"
            )
        files[name] = file.read_bytes()
    return files


def _folder(path: Path) -> Folder:
    """The folder; what it loads are the checked paths of files."""
    return open_folder(path, lambda file: file)


def _weights(folder: Folder) -> list[str]:
    """Names of the files that hold the network."""
    direct = _direct(folder)
    if distributed.is_distributed(direct):
        return [name for name in direct if name.endswith(distributed.SUFFIX) or name == NAME]
    return shards.weight_files(folder.files, lambda name: folder.load(name).read_bytes())


def _direct(folder: Folder) -> list[str]:
    return [name for name in folder.files if "/" not in name]


def _header(path: Path) -> dict[str, str] | None:
    """The `__metadata__` of a file, if it is one of safetensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            if file.read(9)[8:] != b"{":
                return None
        with safe_open(path, "pt") as opened:
            return dict(opened.metadata() or {})
    except (SafetensorError, OSError) as reason:
        raise UnreadableCheckpointError(f"has a damaged safetensors file: {str(reason)[:80]}") from None
