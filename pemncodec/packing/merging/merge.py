"""Several `.pemn` files as one file of tasks, checked against each of them before it is in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...checkpoints import metadata as own_metadata
from ...checkpoints.draft import Draft
from ...checkpoints.metadata import FAMILY, MASK_RULE, RESERVED
from ...coding.bools import only_bools
from ...coding.delta.base_files import BaseFiles
from ...coding.encoder import encode_file
from ...common.files import whole_file
from ...common.progress import Progress, silent
from ...container.accounting import sizes
from ...container.manifest.rows import DEFAULT_MAX_BYTES
from ...container.opening import PathOrBytes, path_of
from ...errors import ConversionError, MismatchError, NetworkError, OutputExistsError, UnknownLayoutError
from ...errors.quoting import quoted
from ...loading.compare import Comparison
from ...loading.diff import diff
from ...loading.load import load_network
from ...network.model import MaskedNetwork
from ..report import PackReport
from ..tasks import merge as merged_draft
from .join import Task, join

# By name; or in order, each alone or with a name, or None.
Files = Mapping[str, PathOrBytes] | Sequence[PathOrBytes | tuple[str | None, PathOrBytes]]


def merge_files(
    files: Files,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = True,
    verify: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> PackReport:
    """Put the networks of several `.pemn` files into one file of tasks, whole or not at all.

    What all tasks have in common, bit for bit, is stored once, and so is every prototype: also one of which the files
    hold different elements. No weight is filled for it. The file is the one that `save_tasks` writes for the same
    networks, where their files hold all that it looks at (docs/how-to/between-files.md).

    Args:
        files: paths or bytes. In a mapping, the key is the name of the task; the tasks of a file that has several are
            then called `key/task`. In a sequence, a file of one network is called as its path without folder and
            suffix, and other tasks keep their names; a pair of name and file is as in a mapping.
        path: where to write.
        metadata: string to string: entries of the result, also those that the files contradict each other about.
        overwrite: whether an existing file may be replaced; never one of `files`.
        verify: whether every task is compared with its file, bit for bit, before the result appears.
        max_bytes: refuse a file that decodes to more.
        base: of deltas among the files, the bases in any order. The result is no delta.

    Raises:
        NetworkError: a name twice, contradicting metadata, networks with nothing in common, a file without a name.
        UnknownLayoutError: networks of different families or mask rules.
        ConversionError: a file was converted for inference.
        MismatchError: the result is not what went in; it is not written.
        FormatError, BaseFileError, FileAccessError: a file cannot be read.
        OutputExistsError, OutputError: of `path`.
    """
    given = _named(files)
    if not given:
        raise NetworkError("there is no file to merge: pass one or more")
    for _, source in given:
        _refuse_input(path, source)
    tasks: dict[str, Task] = {}
    origins: dict[str, tuple[PathOrBytes, str | None]] = {}
    networks: list[tuple[str, MaskedNetwork]] = []
    for number, (name, source) in enumerate(given):
        where = path_of(source) or f"file {number + 1}"
        network = load_network(source, max_bytes=max_bytes, base=base)
        networks.append((where, network))
        for task, cut, own in _tasks(name, source, network):
            if task in tasks:
                raise NetworkError(f"{where}: there already is a task {quoted(task)}: name its file (NAME=FILE)")
            tasks[task], origins[task] = cut, (source, own)
    text = joined_metadata(networks, tasks, metadata or {})
    network = join(tasks, text)
    with whole_file(path, overwrite=overwrite) as temporary:
        encoded = encode_file(network, progress, temporary.parent)
        encoded.write(temporary)
        compared = _verified(temporary, origins, max_bytes, base, progress) if verify else None
    return PackReport(
        family=text.get(FAMILY, "MaskedNetwork"),
        mask_rule=text.get(MASK_RULE, ""),
        keep=None,
        layers=len(network.layers),
        findings=[],
        notes=[],
        dropped=[],
        sizes=sizes(encoded.manifest, encoded.size),
        tasks=list(network.tasks),
        comparison=compared,
    )


def _named(files: Files) -> list[tuple[str | None, PathOrBytes]]:
    if isinstance(files, str | os.PathLike | bytes | bytearray | memoryview):
        raise NetworkError("pass a list of files, or a mapping of names to files, not a single one")
    if isinstance(files, Mapping):
        return list(files.items())
    return [one if isinstance(one, tuple) else (None, one) for one in files]


def _refuse_input(path: str | os.PathLike[str], source: PathOrBytes) -> None:
    where = path_of(source)
    try:
        same = where is not None and Path(path).samefile(where)
    except (OSError, ValueError):
        return
    if same:
        raise OutputExistsError(f"{where} is an input: name another output")


def _tasks(name: str | None, source: PathOrBytes, network: MaskedNetwork) -> list[tuple[str, Task, str | None]]:
    """The tasks of a file: name in the result, the task, and its name in the file."""
    if network.tasks:
        prefix = "" if name is None else f"{name}/"
        return [(prefix + own, Task(network, number), own) for number, own in enumerate(network.tasks, 1)]
    where = path_of(source)
    if name is None and where is not None:
        name = Path(where).name.removesuffix(".pemn")
    if not name:
        raise NetworkError("a file of one network that is given as bytes needs a name: pass {name: bytes}")
    return [(name, Task(network), None)]


def joined_metadata(
    networks: Sequence[tuple[str, MaskedNetwork]], tasks: Mapping[str, Task], given: Mapping[str, str]
) -> dict[str, str]:
    """Return the metadata of one file of these tasks.

    Args:
        networks: all that tasks come from, each with its name in messages.
        tasks: by name.
        given: what the caller adds, or chooses.

    Raises:
        NetworkError: two files say different things under one key; a reserved key.
        UnknownLayoutError, ConversionError: tasks of different families, or converted ones.
    """
    refuse_reserved(given)
    text: dict[str, str] = {}
    first: dict[str, str] = {}
    for where, network in networks:
        for key, value in network.metadata.items():
            if key.startswith(RESERVED) or key in given:
                continue
            if text.setdefault(key, value) != value:
                raise NetworkError(
                    f"metadata {quoted(key)} is not the same in {first[key]} and {where}: choose with --metadata"
                )
            first.setdefault(key, where)
    text |= given
    drafts = {name: _said(name, task) for name, task in tasks.items()}
    if any(draft.family or draft.mask_rule for draft in drafts.values()):
        thresholds = {draft.threshold for draft in drafts.values()}
        if len(thresholds) > 1:
            raise NetworkError("the masks were made with different thresholds: tasks of one file have one threshold")
        text |= own_metadata.write(merged_draft(drafts))
    return text


def refuse_reserved(given: Mapping[str, str]) -> None:
    """Raise NetworkError if a key of metadata is empty, or one that only this package writes."""
    for key in given:
        if not key or key.startswith(RESERVED):
            raise NetworkError(f"metadata key {key!r} is empty or reserved: use one without 'pemn.'")


def _said(name: str, task: Task) -> Draft:
    """Return the checkpoint of a task, as its file describes it, as a draft without entries."""
    network = task.network
    said = own_metadata.read(network.metadata, only_bools(network))
    if said.eps is not None or said.tensor_dtype is not None:
        raise ConversionError(f"task {quoted(name)} was converted for inference: merge files without conversion")
    if network.tasks and said.family and not said.separate:
        raise UnknownLayoutError(
            f"task {quoted(name)} is one of a {said.family} checkpoint with several: merge files of single networks, "
            "or of 'pemn pack --task'"
        )
    own = said.for_task(network.tasks[task.number - 1] if task.number else None)
    draft = Draft(own.family, own.mask_rule, own.keep, own.threshold)
    draft.original = dict(own.details)
    draft.dropped = list(own.dropped)
    return draft


def _verified(
    path: Path,
    origins: Mapping[str, tuple[PathOrBytes, str | None]],
    max_bytes: int,
    base: BaseFiles,
    progress: Progress,
) -> Comparison:
    """Compare every task with the file that it comes from.

    Raises:
        MismatchError: a tensor differs.
    """
    count = 0
    for name, (source, own) in origins.items():
        found = diff(path, source, task=(name, own), max_bytes=max_bytes, base=base, progress=progress)
        bad = next((one.name for one in found.tensors if one.differing != 0 or not one.tied.same), None)
        if bad is not None or found.only_first or found.only_second or found.reordered:
            raise MismatchError(f"task {quoted(name)} would not be the same in the merged file ({bad or 'names'})")
        count += len(found.tensors)
    return Comparison(count, 0)
