"""Writing: a network, or several over one backbone, as bytes or as a file, and a report of what was found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from ..checkpoints.draft import Draft
from ..checkpoints.metadata import LAYOUT, MASK_RULE, RESERVED
from ..checkpoints.options import Fractions, PackOptions
from ..checkpoints.reading.mapped import Watch
from ..checkpoints.recognise import draft_of
from ..coding.delta.base_files import BaseFiles, Bases, refuse_base
from ..coding.encoder import encode_file
from ..common.files import whole_file
from ..common.progress import Progress, silent
from ..container.accounting import sizes
from ..container.manifest.generated import PytorchRow
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..container.writer import EncodedFile
from ..errors import CheckpointError, NetworkError
from ..loading.load import load_network
from ..network.model import MaskedNetwork
from . import tasks as task_drafts
from .assemble import UNKNOWN, assemble
from .lossy.convert import convert
from .options import InferenceOptions, Seeding
from .report import PackReport, base_notes

if TYPE_CHECKING:
    from typing_extensions import Unpack

Source = torch.nn.Module | Mapping[str, Any] | MaskedNetwork
PathLike = str | os.PathLike[str]


class PackArguments(TypedDict, total=False):
    """What `pack`, `save`, `save_file` and `save_tasks` take by name; all of it may be left away.

    Attributes:
        keep: the fraction of weights that a layer keeps, in (0, 1]: one for all layers, or by pattern (`fnmatch` on the
            name of the weight, the first that matches counts). It is in no checkpoint with scores, so it must be given
            for these.
        rule: how masks follow from scores: `"edge-popup"`, `"kth-value"`, `"top-k"`, `"global"`, `"sigmoid"` or
            `"threshold"`; by default as the family of the checkpoint has it.
        threshold: for the last two: keep probabilities, or scores, above it.
        ties: `"stable"`: where equal scores straddle the cut, keep the last of them, as a stable sort does. Otherwise
            that is an error.
        family: of which family the checkpoint is, where its tensors cannot tell (`"biprop"`).
        masks: 0/1 tensors by the name of the weight, from another file.
        backbone: a module, a state_dict or a checkpoint: the network of a checkpoint that holds masks only (piggyback).
        mask_suffix: what masks of 0 and 1 beside their weights are called, where their names do not say it: `"m"` for
            `X.m` or `X.weight_m` beside `X.weight`.
        inverted_masks: whether masks of 0 and 1 have 1 where a weight is pruned.
        strip_prefix: remove `module.` and `_orig_mod.`, which every name must have then.
        mixed_prefixes: whether some names may begin with these and others not.
        key: under which key of a checkpoint the state_dict is, where it is not `state_dict`, `model_state_dict` or
            `model`; `"."`: the checkpoint itself, with all that is nested in it.
        metadata: string to string, stored in the file. Keys that begin with `pemn.` are reserved.
        fold_batchnorm: lossy, for inference: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them; by default what the module says, 1e-5 where there is none.
        tensor_dtype: lossy: round float32 and float64 tensors without a mask to `"float16"` or `"bfloat16"`.
        base: another `.pemn` file, a path or bytes; several, in any order, where that is a delta itself. What is
            smaller as a difference from it is stored as one. Then the file is a delta: it is read beside this base
            only.
        torch_seed: what `torch.manual_seed` was called with before the network was made. Weights that its CPU generator
            drew are found again and become the seed.
        find_seed: how many seeds from 0 on to try where it is not known, and some usual ones; True: ten thousand.
        progress: called with (done, total, name).
    """

    keep: Fractions | None
    rule: str | None
    threshold: float | None
    ties: str | None
    family: str | None
    masks: Mapping[str, Any] | Sequence[Any] | None
    backbone: Mapping[str, Any] | torch.nn.Module | None
    mask_suffix: str | None
    inverted_masks: bool
    strip_prefix: bool
    mixed_prefixes: bool
    key: str | int | None
    metadata: dict[str, str] | None
    fold_batchnorm: bool
    batchnorm_eps: float | None
    tensor_dtype: str | None
    base: BaseFiles
    torch_seed: int | None
    find_seed: int
    progress: Progress


# What of these says how to read the checkpoint, and what shall be lossy.
_READING = ("keep", "key", "rule", "threshold", "ties", "family", "masks", "backbone", "mask_suffix", "inverted_masks")
_OPTIONS = (*_READING, "strip_prefix", "mixed_prefixes")
_CONVERSIONS = ("fold_batchnorm", "batchnorm_eps", "tensor_dtype")


def pack(source: Source, **arguments: Unpack[PackArguments]) -> tuple[bytes, PackReport]:
    """The bytes of a `.pemn` file for a network, and a report of what was recognised and found.

    Args:
        source: a module, its state_dict, a whole checkpoint dictionary (the state_dict under `state_dict`,
            `model_state_dict` or `model`), what `load_checkpoint` returned, or a `MaskedNetwork`.
        **arguments: as `PackArguments` says: keep, rule, threshold, ties, family, masks, backbone, strip_prefix,
        mixed_prefixes, key,
            metadata, fold_batchnorm, batchnorm_eps, tensor_dtype, base, torch_seed,
            find_seed, progress.

    Returns:
        The file, and the report.

    Raises:
        CheckpointError: the checkpoint cannot be packed: unknown or broken layout, no masks without `keep`,
            a dtype that the format lacks; a conversion that is none, or would make a finite value infinite.
        NetworkError: a `MaskedNetwork` that contradicts itself, or bad metadata.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
        TypeError: an argument that there is not.
    """
    encoded, report = _encode(source, arguments)
    return encoded.to_bytes(), report


def save(source: Source, **arguments: Unpack[PackArguments]) -> bytes:
    """The bytes of a `.pemn` file; arguments and errors as `pack`."""
    return pack(source, **arguments)[0]


def save_file(
    source: Source, path: PathLike, *, overwrite: bool = True, **arguments: Unpack[PackArguments]
) -> PackReport:
    """Write a `.pemn` file, whole or not at all; other arguments and errors as `pack`.

    Args:
        path: where to write.
        overwrite: whether an existing file may be replaced.

    Returns:
        What was recognised and found, and where the bytes are.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False, or is the base.
        OutputError: `path` cannot be written.

    Beside the source this takes a bit a weight, and what one tensor needs; a file beside `path` holds the rest.
    """
    _prepared(arguments)  # what is wrong with the arguments is said before anything is done
    refuse_base(Path(path), arguments.get("base"))
    watch = Watch()
    with whole_file(path, overwrite=overwrite) as temporary:
        encoded, report = _encode(source, arguments, temporary.parent)
        encoded.write(temporary)
        watch.check()
    return report


def save_tasks(
    tasks: Mapping[str, Source],
    path: PathLike,
    *,
    add_to: PathOrBytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    overwrite: bool = True,
    **arguments: Unpack[PackArguments],
) -> PackReport:
    """Write one `.pemn` file for several networks over one backbone, whole or not at all.

    What they have in common is stored once: tensors that are equal in every bit, and the values that their layers
    share. `load_file(path, task=NAME)` gives each of them back.

    Args:
        tasks: a checkpoint by the name of each task, as `source` of `pack`; all of one layout.
        path: where to write; it may be `add_to`.
        add_to: a `.pemn` file with tasks, to which these are added. Its own stay the same, bit for bit.
        max_bytes: refuse a file `add_to` that decodes to more.
        overwrite: whether an existing file may be replaced.
        **arguments: as for `pack`, the same for all these tasks; not `fold_batchnorm` and `tensor_dtype`.

    Raises:
        CheckpointError, NetworkError: as `pack`; tasks of different layouts; a name twice; a file without tasks.
        OutputExistsError, OutputError: as `save_file`.
    """
    options = _prepared(arguments)[0]
    refuse_base(Path(path), arguments.get("base"))
    watch = Watch()
    draft, metadata, _ = draft_of_tasks(tasks, options, add_to, max_bytes)
    with whole_file(path, overwrite=overwrite) as temporary:
        encoded, report = pack_draft(
            draft,
            metadata=metadata | (arguments.get("metadata") or {}),
            progress=arguments.get("progress", silent),
            folder=temporary.parent,
            base=arguments.get("base"),
            seeding=_seeding(arguments),
        )
        encoded.write(temporary)
        watch.check()
    return report


def draft_of_tasks(
    tasks: Mapping[str, Source],
    options: PackOptions,
    add_to: PathOrBytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[Draft, dict[str, str], dict[str, Draft]]:
    """One draft of several checkpoints, and of the tasks that a file has already; the metadata of that file; and the
    drafts of the checkpoints.

    Raises:
        CheckpointError, NetworkError: as `save_tasks`.
    """
    drafts: dict[str, Draft] = {}
    metadata: dict[str, str] = {}
    if add_to is not None:
        network = load_network(add_to, max_bytes=max_bytes)
        drafts = task_drafts.drafts_of(network)
        metadata = {key: value for key, value in network.metadata.items() if not key.startswith(RESERVED)}
    for name, source in tasks.items():
        if name in drafts:
            raise NetworkError(f"the file has a task {name!r} already: choose another name")
        try:
            drafts[name] = draft_of(source, options)
        except CheckpointError as reason:
            raise type(reason)(f"task {name!r}: {reason}") from None
    return task_drafts.merge(drafts), metadata, {name: drafts[name] for name in tasks}


def pack_draft(
    draft: Draft,
    *,
    metadata: dict[str, str] | None = None,
    progress: Progress = silent,
    folder: Path | None = None,
    base: BaseFiles = None,
    seeding: Seeding = UNKNOWN,
) -> tuple[EncodedFile, PackReport]:
    """`pack` for a checkpoint that has been recognised, and converted where that is wanted.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: as for `pack`.
        seeding: which seed of PyTorch may have made the random weights; by default that of the base, if it has one.

    Raises:
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
        NetworkError: bad metadata, or a network that does not fit the format.
    """
    assembled = assemble(draft, metadata, progress, _seed_of(base) if seeding == UNKNOWN else seeding)
    encoded = encode_file(assembled.network, progress, folder, base)
    return encoded, PackReport(
        layout=draft.layout,
        mask_rule=draft.mask_rule,
        keep=draft.keep,
        layers=len(assembled.network.layers),
        findings=assembled.findings,
        notes=draft.notes + assembled.notes + base_notes(encoded.manifest, base),
        dropped=draft.dropped,
        sizes=sizes(encoded.manifest, encoded.size),
        conversions=[f"{one.done}; largest error {one.error}" for one in draft.conversions],
        reasons=draft.reasons,
        threshold=draft.threshold,
        tasks=draft.tasks,
    )


def _seed_of(given: BaseFiles) -> Seeding:
    """The seed of PyTorch that made values of the base."""
    bases = Bases(given)
    try:
        newest = bases.newest()
        rows = () if newest is None else newest.container.manifest.prototypes
        return next((Seeding(row.seed) for row in rows if isinstance(row, PytorchRow)), UNKNOWN)
    finally:
        bases.close()


def _prepared(arguments: PackArguments) -> tuple[PackOptions, InferenceOptions]:
    """The options among the arguments, checked."""
    unknown = [name for name in arguments if name not in PackArguments.__annotations__]
    if unknown:
        raise TypeError(f"there is no argument {unknown[0]!r}: choose {', '.join(PackArguments.__annotations__)}")
    given: dict[str, Any] = dict(arguments)
    options = PackOptions(**{name: given[name] for name in _OPTIONS if name in given})
    return options, InferenceOptions(**{name: given[name] for name in _CONVERSIONS if name in given})


def _encode(source: Source, arguments: PackArguments, folder: Path | None = None) -> tuple[EncodedFile, PackReport]:
    options, conversions = _prepared(arguments)
    metadata, base = arguments.get("metadata"), arguments.get("base")
    progress = arguments.get("progress", silent)
    if isinstance(source, MaskedNetwork):
        if conversions.lossy:
            raise NetworkError(
                "a MaskedNetwork is packed as it is: fold_batchnorm and tensor_dtype are for checkpoints"
            )
        if metadata:
            raise NetworkError("a MaskedNetwork carries its metadata itself: set network.metadata")
        encoded = encode_file(source, progress, folder, base)
        rule = source.metadata.get(MASK_RULE, "")
        layout = source.metadata.get(LAYOUT, "MaskedNetwork")
        notes = base_notes(encoded.manifest, base)
        report = PackReport(
            layout, rule, None, len(source.layers), [], notes, [], sizes(encoded.manifest, encoded.size)
        )
        return encoded, report
    draft = convert(draft_of(source, options), conversions)
    return pack_draft(
        draft, metadata=metadata, progress=progress, folder=folder, base=base, seeding=_seeding(arguments)
    )


def _seeding(arguments: PackArguments) -> Seeding:
    return Seeding(arguments.get("torch_seed"), arguments.get("find_seed") or 0)
