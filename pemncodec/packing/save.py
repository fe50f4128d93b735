"""Packing from Python: a checkpoint, a module or a network to a `.pemn` file or its bytes.

All of these go through the pipeline of `packing.pack`, as the command does, and take the same keywords.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from ..checkpoints.options import Fractions, PackOptions
from ..checkpoints.reading.load import CheckpointFile
from ..coding.delta.base_files import BaseFiles
from ..common.progress import Progress, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES
from ..container.opening import PathOrBytes
from ..network.model import MaskedNetwork
from .options import InferenceOptions, Seeding
from .pack import Job, Source, Stages, pack_to_bytes, pack_to_file
from .report import PackReport

PathLike = str | os.PathLike[str]
Network = torch.nn.Module | Mapping[str, Any] | MaskedNetwork


def pack_file(
    source: PathLike | Network,
    path: PathLike,
    *,
    unsafe: bool = False,
    checksums: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    progress: Progress = silent,
) -> PackReport:
    """Pack a checkpoint file, or a network, into a `.pemn` file, as `pemn pack` does.

    The file is whole or not there, and is compared with its source before it is in its place: every tensor in bits
    with what was recognised, and, where the source is a file, with what `torch.load` itself reads of it
    (docs/checkpoints.md, "What `verified` means").

    Args:
        source: a path (as for `load_checkpoint`), a module, its state_dict, a whole checkpoint dictionary, or a
            `MaskedNetwork`.
        path: where to write.
        unsafe, checksums, max_bytes: how a file is read, as for `load_checkpoint`.
        overwrite: whether an existing file may be replaced.
        verify: whether the file is compared with its source.
        keep: the fraction of weights that a layer keeps, in (0, 1]: one for all layers, or by pattern (`fnmatch` on the
            name of the weight, the first that matches counts). Checkpoints with scores do not say it, and need it.
        rule: how masks follow from scores: `"edge-popup"`, `"kth-value"`, `"top-k"`, `"global"`, `"sigmoid"`,
            `"threshold"`, `"movement"` or `"movement-global"`; by default as the family of the checkpoint has it.
        threshold: for `"sigmoid"` and `"threshold"`: keep probabilities, or scores, above it.
        ties: `"stable"`: where equal scores straddle the cut, keep the last of them, as a stable sort does. Otherwise
            that is an error.
        family: of which family the checkpoint is, where its tensors cannot tell (`"biprop"`).
        masks: tensors of 0 and 1 by the name of the weight, from another file.
        backbone: a module, a state_dict or a checkpoint: the network of a checkpoint that holds masks only (piggyback).
        mask_suffix: what masks of 0 and 1 beside their weights are called, where their names do not say it: `"m"` for
            `X.m` or `X.weight_m` beside `X.weight`.
        inverted_masks: whether masks of 0 and 1 have 1 where a weight is pruned.
        strip_prefix: remove `module.` and `_orig_mod.`, which every name must have then.
        mixed_prefixes: whether some names may begin with these and others not.
        key: where in a checkpoint the state_dict is, if not under `state_dict`, `model_state_dict` or `model`; `"."`:
            the checkpoint itself, with all that is nested in it.
        metadata: string to string, stored in the file. Keys that begin with `pemn.` are reserved.
        fold_batchnorm: lossy, for inference: fold the running statistics of BatchNorms into weight and bias.
        batchnorm_eps: the eps of all of them; by default what the module says, 1e-5 where there is none.
        tensor_dtype: lossy: round float32 and float64 tensors without a mask to `"float16"` or `"bfloat16"`.
        base: another `.pemn` file, a path or bytes; several, in any order, where that is a delta itself. What is
            smaller as a difference from it is stored as one. Then the file is a delta, which is read beside this base
            only.
        torch_seed: the argument of `torch.manual_seed` before the network was made. Weights that PyTorch's CPU
            generator drew become the seed.
        find_seed: how many seeds from 0 on to try where it is not known, and some usual ones; True: ten thousand.
        progress: called with (done, total, name).

    Returns:
        A report of what was recognised and found, where the bytes are, and what was compared.

    Raises:
        CheckpointError: the checkpoint cannot be read or packed: unknown or broken layout, no masks without `keep`,
            a dtype that the format lacks; a conversion that is none, or would make a finite value infinite.
        NetworkError: a `MaskedNetwork` that contradicts itself, or bad metadata.
        MismatchError: the file is not what went in; it is not written.
        OutputExistsError: `path` exists and `overwrite` is False, or is the base.
        OutputError: `path` cannot be written.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    given = locals()
    if isinstance(source, str | os.PathLike):
        sources: Mapping[str, Source] = {"": CheckpointFile(Path(source), unsafe, checksums, max_bytes)}
    else:
        sources = {"": source}
    return pack_to_file(_job(sources, given), Path(path), overwrite=overwrite, stages=_stages(progress))


def pack(
    source: Network,
    *,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    progress: Progress = silent,
) -> tuple[bytes, PackReport]:
    """Return the bytes of a `.pemn` file, and a report.

    Args:
        source: a module, its state_dict, a whole checkpoint dictionary (the state_dict under `state_dict`,
            `model_state_dict` or `model`), what `load_checkpoint` returned, or a `MaskedNetwork`.

    Other arguments are those of `pack_file`.

    Raises:
        CheckpointError, NetworkError, MismatchError: as `pack_file`.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    return pack_to_bytes(_job({"": source}, locals()), stages=_stages(progress))


def save(
    source: Network,
    *,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    progress: Progress = silent,
) -> bytes:
    """Return the bytes of a `.pemn` file; arguments and errors as `pack`."""
    return pack_to_bytes(_job({"": source}, locals()), stages=_stages(progress))[0]


def save_file(
    source: Network,
    path: PathLike,
    *,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    fold_batchnorm: bool = False,
    batchnorm_eps: float | None = None,
    tensor_dtype: str | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    progress: Progress = silent,
) -> PackReport:
    """Write a `.pemn` file, whole or not at all; the source as for `pack`, all else as for `pack_file`.

    Beside the source this takes a bit a weight, and what one tensor needs; a file beside `path` holds the rest.

    Raises:
        CheckpointError, NetworkError, MismatchError: as `pack_file`.
        OutputExistsError, OutputError: `path` exists or cannot be written.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    return pack_to_file(_job({"": source}, locals()), Path(path), overwrite=overwrite, stages=_stages(progress))


def save_tasks(
    tasks: Mapping[str, Network],
    path: PathLike,
    *,
    add_to: PathOrBytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    overwrite: bool = True,
    verify: bool = True,
    keep: Fractions | None = None,
    rule: str | None = None,
    threshold: float | None = None,
    ties: str | None = None,
    family: str | None = None,
    masks: Mapping[str, Any] | Sequence[Any] | None = None,
    backbone: Mapping[str, Any] | torch.nn.Module | None = None,
    mask_suffix: str | None = None,
    inverted_masks: bool = False,
    strip_prefix: bool = False,
    mixed_prefixes: bool = False,
    key: str | int | None = None,
    metadata: Mapping[str, str] | None = None,
    base: BaseFiles = None,
    torch_seed: int | None = None,
    find_seed: int = 0,
    progress: Progress = silent,
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

    Other arguments are those of `pack_file`, the same for all these tasks.

    Raises:
        CheckpointError, NetworkError: as `pack_file`; tasks of different layouts; a name twice; a file without tasks.
        MismatchError, OutputExistsError, OutputError: as `pack_file`.
        FormatError, BaseFileError, FileAccessError: the base, or `add_to`, cannot be read.
    """
    return pack_to_file(_job(tasks, locals()), Path(path), overwrite=overwrite, stages=_stages(progress))


_READING = tuple(PackOptions.__dataclass_fields__)
_LOSSY = tuple(InferenceOptions.__dataclass_fields__)


def _job(sources: Mapping[str, Source], given: Mapping[str, Any]) -> Job:
    """The job that the arguments of a function above say, each by its name."""
    return Job(
        sources=sources,
        reading=PackOptions(**{name: given[name] for name in _READING}),
        seeding=Seeding(given["torch_seed"], given["find_seed"] or 0),
        lossy=InferenceOptions(**{name: given[name] for name in _LOSSY if name in given}),
        metadata=given["metadata"] or {},
        base=given["base"],
        add_to=given.get("add_to"),
        max_bytes=given.get("max_bytes", DEFAULT_MAX_BYTES),
        verify=given["verify"],
    )


def _stages(progress: Progress) -> Stages:
    return lambda _: nullcontext(progress)
