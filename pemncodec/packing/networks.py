"""Networks that are masks and prototypes already, packed as they are: `.pemn` files, and `MaskedNetwork`s.

No weight is filled for it, and prototypes and recipes stay what they are. A file that is packed again without options
has the same bytes if this version wrote it. Beside tasks that are files, a checkpoint is assembled by itself, and all
are joined as `merge_files` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoints import metadata as own_metadata
from ..checkpoints.draft import Conversion, Draft, DraftEntry, MaskedWeight, PlainTensor, TiedTensor
from ..checkpoints.metadata import BASE
from ..checkpoints.options import PackOptions
from ..checkpoints.reading.load import CheckpointFile
from ..checkpoints.recognise import draft_of
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Progress, silent
from ..common.words import word_type
from ..container.header import MAGIC
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes, metadata_of, path_of
from ..errors import CheckpointError, ConversionError, MismatchError, NetworkError
from ..errors.quoting import quoted
from ..loading.compare import compare_network
from ..loading.diff import diff
from ..loading.differences import Difference, TensorDifference
from ..loading.file import PemnFile
from ..loading.load import load_network
from ..network.model import Alias, Entry, MaskedNetwork, Tensor
from .assemble import assemble
from .job import Job, NetworkFile, Source
from .lossy.convert import convert, convert_again
from .merging.join import Task, join
from .merging.merge import joined_metadata, refuse_reserved
from .options import Seeding
from .packed import network_of, state_of


@dataclass
class Prepared:
    """A network to be packed as it is.

    Attributes:
        network: masks, prototypes and tensors.
        conversions: that were done to its tensors.
        notes: what the user should know.
        drafts: the tasks that are checkpoints, by name.
        origins: the tasks that are files: the file, and the task in it.
    """

    network: MaskedNetwork
    conversions: list[Conversion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drafts: dict[str, Draft] = field(default_factory=dict)
    origins: dict[str, tuple[PathOrBytes, str | None]] = field(default_factory=dict)


def told_apart(job: Job) -> Job:
    """Return the job with a `NetworkFile` for each source that is one: the first bytes decide, not the name."""
    return replace(job, sources={name: _told_apart(source) for name, source in job.sources.items()})


def _told_apart(source: Source) -> Source:
    if isinstance(source, CheckpointFile) and is_pemn(source.path):
        return NetworkFile(source.path, source.max_bytes)
    return source


def is_pemn(source: PathOrBytes) -> bool:
    """Return whether a regular file, or bytes, begin as a `.pemn` file does; False for what cannot be read."""
    path = path_of(source)
    if path is None:
        return isinstance(source, bytes | bytearray | memoryview) and bytes(source[: len(MAGIC)]) == MAGIC
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):  # its reader reports it
        return False


def loaded(source: Any, base: BaseFiles) -> Any:
    """Return the source, that of a file read, and one with packed weights as the network that it holds.

    Raises:
        FormatError, BaseFileError, FileAccessError: of a `.pemn` file.
        CheckpointError: of another one.
    """
    if isinstance(source, NetworkFile):
        return load_network(source.file, max_bytes=source.max_bytes, base=base)
    found = source.load() if isinstance(source, CheckpointFile) else source
    state = state_of(found)
    return found if state is None else network_of(state)


def prepared(job: Job, sources: Mapping[str, Any], reading: PackOptions, seeding: Seeding) -> Prepared | None:
    """Return the network to pack, if any of the sources is one; None where all are checkpoints.

    Args:
        sources: of the job, loaded.
        reading: of the job, with the tensors of other files.
        seeding: where the random weights of checkpoints may come from.

    Raises:
        NetworkError: an option that has no meaning for masks that are there; tasks that do not go together.
        ConversionError: a conversion of a file that was converted, or that has tasks.
    """
    networks = [name for name, one in sources.items() if isinstance(one, MaskedNetwork)]
    if not networks:
        return None
    if len(networks) == len(sources):
        _refuse_options(job, networks[0])
    if job.add_to is not None or "" not in sources:
        if job.lossy.lossy:
            raise CheckpointError("tasks cannot be converted: convert each network by itself")
        return _joined(job, sources, reading, seeding)
    if not isinstance(job.sources[""], NetworkFile):
        return Prepared(_as_it_is(sources[""], job))
    refuse_reserved(job.metadata)
    network: MaskedNetwork = sources[""]
    network.metadata |= job.metadata
    if not job.lossy.lossy:
        return Prepared(network)
    said = own_metadata.read(network.metadata)
    if said.eps is not None or said.tensor_dtype is not None:
        raise ConversionError(f"{_where(job, '')} was converted for inference already: convert its checkpoint")
    draft = convert(_outline(network), job.lossy)
    return Prepared(_changed(network, draft), draft.conversions, draft.notes)


def _as_it_is(network: MaskedNetwork, job: Job) -> MaskedNetwork:
    if job.lossy.lossy:
        raise NetworkError("a MaskedNetwork is packed unchanged: fold_batchnorm and tensor_dtype are for checkpoints")
    if job.metadata:
        raise NetworkError("a MaskedNetwork carries its own metadata: set network.metadata")
    return network


def _where(job: Job, name: str) -> str:
    source = job.sources[name]
    return (isinstance(source, NetworkFile) and path_of(source.file)) or "the network"


def _refuse_options(job: Job, name: str) -> None:
    """Refuse what only a checkpoint can be asked: a mask rule would not be applied, and no seed found."""
    if not isinstance(job.sources[name], NetworkFile):
        return
    usual = PackOptions()
    given = [one.name for one in fields(usual) if getattr(job.reading, one.name) != getattr(usual, one.name)]
    given += ["masks"] if job.masks is not None else []
    given += ["backbone"] if job.backbone is not None else []
    given += ["torch_seed"] if job.seeding.seed is not None else []
    given += ["find_seed"] if job.seeding.tried else []
    given += ["include"] if job.include else []
    if given:
        flags = " and ".join(f"--{one.replace('_', '-')}" for one in given[:2])
        raise NetworkError(f"{_where(job, name)} is a .pemn file and has its masks and values: omit {flags}")


def _joined(job: Job, sources: Mapping[str, Any], reading: PackOptions, seeding: Seeding) -> Prepared:
    made = Prepared(MaskedNetwork())
    tasks: dict[str, Task] = {}
    networks: list[tuple[str, MaskedNetwork]] = []
    if job.add_to is not None:
        network = load_network(job.add_to, max_bytes=job.max_bytes, base=job.base)
        if not network.tasks:
            raise NetworkError("the file holds one network and no tasks: pack it again with a name (--task NAME=FILE)")
        networks.append((path_of(job.add_to) or "the file", network))
        tasks = {name: Task(network, number) for number, name in enumerate(network.tasks, 1)}
    for name, source in sources.items():
        given = job.sources[name]
        if isinstance(source, MaskedNetwork):
            network, own = source, list(source.tasks)
        else:
            try:
                draft = made.drafts[name] = draft_of(source, reading)
            except CheckpointError as reason:
                raise type(reason)(f"task {name!r}: {reason}") from None
            network, own = assemble(draft, seeding=seeding).network, []
        networks.append((_where(job, name), network))
        called: dict[str, tuple[str | None, int]] = {f"{name}/{task}": (task, n) for n, task in enumerate(own, 1)}
        called = called or {name: (None, 0)}
        for new, (task, number) in called.items():
            if new in tasks:
                raise NetworkError(f"the file already has a task {quoted(new)}: choose another name")
            tasks[new] = Task(network, number)
            if isinstance(given, NetworkFile):
                made.origins[new] = given.file, task
    made.network = join(tasks, joined_metadata(networks, tasks, job.metadata))
    return made


def compare_sources(
    made: Prepared, job: Job, file: PathOrBytes, metadata: Mapping[str, str], progress: Progress
) -> None:
    """Compare a file with the files that it was made of, tensor by tensor, and metadata.

    Args:
        metadata: of the file.

    Raises:
        MismatchError: something differs.
    """
    origins = made.origins
    single = job.sources.get("")
    if isinstance(single, NetworkFile) and not made.conversions:
        origins = {"": (single.file, None)}
        theirs = {**metadata_of(single.file), **job.metadata}
        if _without_base(metadata) != _without_base(theirs):
            raise MismatchError("the metadata would not be the same in the new file")
    for name, (source, own) in origins.items():
        task = (name, own) if name else None
        found = diff(file, source, task=task, max_bytes=job.max_bytes, base=job.base, progress=progress)
        bad = _first_other(found)
        if bad is not None or found.only_first or found.only_second or found.reordered:
            where = f"task {quoted(name)}" if name else "the network"
            raise MismatchError(f"{where} would not be the same in the new file ({bad.name if bad else 'names'})")


def compare_files(
    file: PathOrBytes,
    against: PathOrBytes,
    *,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Progress = silent,
) -> tuple[int, str]:
    """Compare the tensors of a file with those of another, converted as the first one says.

    Args:
        task: of those files that have tasks; by default all, which both must have then.
        base: of deltas among the two, the bases in any order.

    Returns:
        The number of tensors, and what was converted, `""` for nothing.

    Raises:
        MismatchError: something differs.
        FormatError, BaseFileError, FileAccessError, NotFoundError: a file, or its task, cannot be read.
    """
    said = own_metadata.read(metadata_of(file))
    again = own_metadata.read(metadata_of(against))
    if (said.eps, said.tensor_dtype) != (again.eps, again.tensor_dtype):
        network = load_network(against, max_bytes=max_bytes, base=base)
        if (again.eps, again.tensor_dtype) != (None, None):
            raise MismatchError("both were converted for inference, in other ways: compare with the unconverted file")
        changed, conversions = _converted_again(network, metadata_of(file))
        with PemnFile(file, max_bytes=max_bytes, base=base) as opened:
            if opened.keys() != [entry.name for entry in changed.entries]:
                raise MismatchError("they hold tensors of other names, or in another order")
            found = compare_network(opened, changed, progress)
        return found.tensors, ", and ".join(one.done for one in conversions)
    compared = diff(file, against, task=task, max_bytes=max_bytes, base=base, progress=progress)
    bad = _first_other(compared)
    if bad is not None:
        how = (
            f"{bad.differing} elements of {quoted(bad.name)} differ" if bad.differing else f"{quoted(bad.name)} differs"
        )
        raise MismatchError(f"{how} (`pemn diff` lists all)")
    if not compared.same_tensors:
        raise MismatchError("they hold other tensors or tasks, or in another order (`pemn diff` lists them)")
    return len(compared.tensors), ""


def _first_other(found: Difference) -> TensorDifference | None:
    """Return the first tensor that has other values, or is tied otherwise."""
    return next((one for one in found.tensors if one.differing != 0 or not one.tied.same), None)


def _without_base(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata without the digest of a base, which only a delta has."""
    return {key: value for key, value in metadata.items() if key != BASE}


# --- conversions of tensors without a mask ----------------------------------------------------------------------


def _converted_again(network: MaskedNetwork, said: Mapping[str, str]) -> tuple[MaskedNetwork, list[Conversion]]:
    """Return a network with the conversions that the metadata of a file says, and these."""
    draft = convert_again(_outline(network), said)
    return _changed(network, draft), draft.conversions


def _outline(network: MaskedNetwork) -> Draft:
    """Return a draft of the tensors without a mask; of its layers it has only names and shapes."""
    draft = Draft("", "", tasks=list(network.tasks))
    draft.entries = [_entry(network, entry) for entry in network.entries]
    return draft


def _entry(network: MaskedNetwork, entry: Entry) -> DraftEntry:
    if isinstance(entry, Tensor):
        return PlainTensor(entry.name, entry.dtype, entry.shape, entry.values, entry.task)
    if isinstance(entry, Alias):
        return TiedTensor(entry.name, entry.target, entry.task)
    dtype = network.layer_dtype(entry)
    nothing = np.empty(0, dtype=word_type(dtype))
    return MaskedWeight(entry.name, dtype, entry.shape, nothing, network.masks[entry.mask], task=entry.task)


def _changed(network: MaskedNetwork, draft: Draft) -> MaskedNetwork:
    entries: list[Entry] = [
        Tensor(new.name, new.dtype, new.shape, new.values, new.task) if isinstance(new, PlainTensor) else old
        for old, new in zip(network.entries, draft.entries, strict=True)
    ]
    metadata = network.metadata | {one.key: one.value for one in draft.conversions}
    return MaskedNetwork(entries, network.prototypes, network.masks, metadata, network.tasks)
